"""Showing what is on sale and beginning a purchase."""

from collections.abc import Mapping, Sequence
from typing import Any

from clients import vtb as vtb_client
from kit import config, pg
from maas.showcase import model
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import ActiveSubscriptionExists, Status, Subscription, SubscriptionNotFound
from maas.tokens import actions as tokens
from maas.users.model import User


async def product(
    *,
    db: pg.Database,
    vtb: vtb_client.Vtb,
    user: User | None,
    variants: Sequence[Mapping[str, Any]],
    described: Mapping[str, Any],
    language: str,
) -> model.Product:
    """The purchase screen of a person, in `language` (MA-54); MaasUserNotFound for a stranger (MA-55)."""
    maas_user_id = _id_of(user)
    sold = await vtb.tariffs(maas_user_id)
    offers = model.offers(sold, variants, described["tariffs"], language)
    live = await _find_live(db, maas_user_id, Status.ACTIVATED)
    return model.Product(maas_user_id, offers, described["ui"][language], live)


async def start(
    *,
    db: pg.Database,
    salt: config.Secret,
    user: User | None,
    yandex_uid: str,
    tariff_id: str,
    variants: Sequence[Mapping[str, Any]],
    terms: Mapping[str, Any],
) -> model.Purchase:
    """Lets a person buy this tariff in the bank's page (MA-57, MA-58); `terms` are the config's `MAAS_PURCHASE`.

    MaasUserNotFound, TariffNotFound, subscriptions.ActiveSubscriptionExists.
    """
    maas_user_id = _id_of(user)
    if tariff_id not in {variant["tariff_id"] for variant in variants}:
        raise model.TariffNotFound
    if await _find_live(db, maas_user_id, Status.ACTIVATED, Status.RESERVED):
        raise ActiveSubscriptionExists
    whose = {"maas_user_id": maas_user_id, "tariff_id": tariff_id}
    issued = await tokens.issue(db=db, salt=salt, yandex_uid=yandex_uid, ttl_s=terms["token_ttl_s"], **whose)
    return model.Purchase(
        webview_url=model.page_url(terms["webview_url"], **whose, user_token=issued.token),
        user_token=issued.token,
        expires_at=issued.expires_at,
        **whose,
    )


async def _find_live(db: pg.Database, maas_user_id: str, *statuses: Status) -> Subscription | None:
    try:
        latest = await subscriptions.get_latest(db=db, maas_user_id=maas_user_id)
    except SubscriptionNotFound:
        return None
    return latest if latest.status in statuses else None


def _id_of(user: User | None) -> str:
    if user is None or user.maas_user_id is None:
        raise model.MaasUserNotFound
    return user.maas_user_id
