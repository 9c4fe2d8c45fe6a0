"""The ways of binding a person of the metro to an account of taxi."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients import personal as personal_client
from clients import user_api as user_api_client
from clients import vtb as vtb_client
from clients import zalogin as zalogin_client
from kit import http_client, identity, metrics, pg, stq
from maas.binding import model
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import Status, Subscription, SubscriptionNotFound
from maas.users import actions as users
from maas.users.model import Account, AccountAlreadyBound, UidKind, User

_MATCHES = metrics.counter("maas_matches_total", "Searches for the account of a person, by outcome", ("way", "outcome"))


@dataclass(frozen=True, slots=True)
class _Search:
    """What every search uses; `rules` are the config's `MAAS_MATCHING`."""

    db: pg.Database
    queue: stq.Queue
    zalogin: zalogin_client.Zalogin
    rules: Mapping[str, Any]


async def match(
    *,
    db: pg.Database,
    queue: stq.Queue,
    user_api: user_api_client.UserApi,
    zalogin: zalogin_client.Zalogin,
    matching: Mapping[str, Any],
    maas_user_id: str,
) -> None:
    """Looks for a registered person in taxi by phone (MA-36..39); an account that is known gets the subscription."""
    search = _Search(db, queue, zalogin, matching)
    user = await users.get(db=db, maas_user_id=maas_user_id)
    if user.account is not None:
        await _bind(search, maas_user_id, user.account, "phone")
    way = _WAYS[matching["by"]]
    phone_id = None if way.is_found(user) else await user_api.find_phone_id(user.personal_phone_id)
    if phone_id is not None:
        await way.match(search, maas_user_id, phone_id)


async def get_person(
    *,
    db: pg.Database,
    queue: stq.Queue,
    zalogin: zalogin_client.Zalogin,
    matching: Mapping[str, Any],
    passenger: identity.Passenger,
) -> User | None:
    """The person of the metro who this passenger is, bound on the way; None for a stranger (MA-64, MA-65, MA-71)."""
    search = _Search(db, queue, zalogin, matching)
    way = _WAYS[matching["by"]]
    user = await way.recognize(search, passenger)
    if user is None or not user.accepts(_account_of(passenger)):
        return user
    return await way.bind(search, user, passenger)


async def get_subscription(
    *,
    db: pg.Database,
    queue: stq.Queue,
    zalogin: zalogin_client.Zalogin,
    matching: Mapping[str, Any],
    passenger: identity.Passenger,
    pass_id: str | None = None,
) -> Subscription:
    """The passenger's subscription of this `pass_id`, else the live or last one; all is bound on the way (MA-63..67).

    subscriptions.SubscriptionNotFound, also for a stranger, a reservation and somebody else's `pass_id`.
    """
    user = await get_person(db=db, queue=queue, zalogin=zalogin, matching=matching, passenger=passenger)
    if user is None:
        raise SubscriptionNotFound
    found = await _visible(db, user, pass_id)
    if found.status is not Status.ACTIVATED or found.yandex_uid is not None or user.account is None:
        return found
    await _bind(_Search(db, queue, zalogin, matching), found.maas_user_id, user.account, "app")
    return await _visible(db, user, found.pass_id)


async def _visible(db: pg.Database, user: User, pass_id: str | None) -> Subscription:
    if pass_id is None:
        return await subscriptions.get_visible(db=db, maas_user_id=str(user.maas_user_id))
    found = await subscriptions.get(db=db, pass_id=pass_id)
    if found.maas_user_id != user.maas_user_id or found.status is Status.RESERVED:
        raise SubscriptionNotFound
    return found


async def find_live(
    *,
    db: pg.Database,
    queue: stq.Queue,
    zalogin: zalogin_client.Zalogin,
    matching: Mapping[str, Any],
    passenger: identity.Passenger,
) -> Subscription | None:
    """The subscription that the passenger may ride by now (MA-79)."""
    try:
        found = await get_subscription(db=db, queue=queue, zalogin=zalogin, matching=matching, passenger=passenger)
    except SubscriptionNotFound:
        return None
    return found if found.status is Status.ACTIVATED else None


async def register(
    *,
    db: pg.Database,
    queue: stq.Queue,
    personal: personal_client.Personal,
    vtb: vtb_client.Vtb,
    zalogin: zalogin_client.Zalogin,
    matching: Mapping[str, Any],
    passenger: identity.Passenger,
) -> User:
    """Makes the passenger a person of the metro by phone (MA-30..32); who is one already stays the same.

    PhoneRequired, PhoneNotTaken, users.PhoneAlreadyBound, users.MaasUserAlreadyBound.
    """
    known = await get_person(db=db, queue=queue, zalogin=zalogin, matching=matching, passenger=passenger)
    if known is not None:
        return known
    if passenger.personal_phone_id is None:
        raise model.PhoneRequired
    try:
        maas_user_id = await vtb.create_user(await personal.get_phone(passenger.personal_phone_id))
    except personal_client.PhoneUnknown:
        raise model.PhoneRequired from None
    except vtb_client.PhoneRefused:
        raise model.PhoneNotTaken from None
    user = await users.link(db=db, maas_user_id=maas_user_id, personal_phone_id=passenger.personal_phone_id)
    return await _WAYS[matching["by"]].bind(_Search(db, queue, zalogin, matching), user, passenger)


def _account_of(passenger: identity.Passenger) -> Account:
    return Account(passenger.yandex_uid, UidKind.PORTAL if passenger.is_portal else UidKind.PHONISH)


async def _match_account(search: _Search, maas_user_id: str, phone_id: str) -> None:
    found = await search.zalogin.phone_info(phone_id)
    portals = [account.yandex_uid for account in found if account.kind == UidKind.PORTAL]
    _MATCHES.labels("phone", "found" if len(portals) == 1 else "waits").inc()
    if len(portals) != 1 or not await _bind(search, maas_user_id, Account(portals[0], UidKind.PORTAL), "phone"):
        await _remember(search, maas_user_id)


async def _match_phone_id(search: _Search, maas_user_id: str, phone_id: str) -> None:
    is_free = await users.bind_phone_id(db=search.db, maas_user_id=maas_user_id, phone_id=phone_id)
    _MATCHES.labels("phone_id", "found" if is_free else "taken").inc()


async def _recognize_account(search: _Search, passenger: identity.Passenger) -> User | None:
    return await users.recognize(
        db=search.db,
        account=_account_of(passenger),
        personal_phone_id=passenger.personal_phone_id,
        recheck_after_s=search.rules["recheck_after_s"],
    )


async def _recognize_phone_id(search: _Search, passenger: identity.Passenger) -> User | None:
    return await users.recognize_by_phone_id(
        db=search.db, phone_id=passenger.phone_id, personal_phone_id=passenger.personal_phone_id
    )


async def _bind_account(search: _Search, user: User, passenger: identity.Passenger) -> User:
    """Binds the portal account if there is one, else the passenger's own; zalogin is asked once in a period (MA-70).

    When it can't be asked, the person stays as they are, and a later look finds the account.
    """
    account, maas_user_id = _account_of(passenger), str(user.maas_user_id)
    if account.kind is UidKind.PHONISH and user.uid_kind != UidKind.PORTAL:
        if await users.may_search(db=search.db, maas_user_id=maas_user_id, pause_s=search.rules["retry_after_s"]):
            return await _search_portal(search, user, account)
        if not user.is_checked:
            return user
    return await _bind(search, maas_user_id, account, "app") or user


async def _search_portal(search: _Search, user: User, account: Account) -> User:
    maas_user_id = str(user.maas_user_id)
    try:
        portal_uid = await search.zalogin.find_portal_uid(account.yandex_uid)
    except http_client.Failure:
        _MATCHES.labels("app", "failed").inc()
        return user
    if portal_uid and (bound := await _bind(search, maas_user_id, Account(portal_uid, UidKind.PORTAL), "app")):
        return bound
    await _remember(search, maas_user_id)
    return await _bind(search, maas_user_id, account, "app") or user


async def _bind_phone_id(search: _Search, user: User, passenger: identity.Passenger) -> User:
    """Remembers the phone's id and binds the account that comes with it, whoever had it before (MA-29, MA-71)."""
    maas_user_id = str(user.maas_user_id)
    if user.phone_id is None and passenger.phone_id is not None:
        await _match_phone_id(search, maas_user_id, passenger.phone_id)
    return await _bind(search, maas_user_id, _account_of(passenger), "phone_id", is_moving=True) or user


async def _remember(search: _Search, maas_user_id: str) -> None:
    recheck_after_s = search.rules["recheck_after_s"]
    await users.remember_search(db=search.db, maas_user_id=maas_user_id, recheck_after_s=recheck_after_s)


async def _bind(
    search: _Search, maas_user_id: str, account: Account, way: str, *, is_moving: bool = False
) -> User | None:
    """Binds account, person and live subscription; None when another has the account, unless it `is_moving`."""
    try:
        async with search.db.transaction() as tx:
            if is_moving:
                await users.release(tx=tx, maas_user_id=maas_user_id, account=account)
            user = await users.bind(tx=tx, maas_user_id=maas_user_id, account=account)
            if user.yandex_uid is not None:
                await subscriptions.bind_owner(
                    tx=tx, queue=search.queue, maas_user_id=maas_user_id, yandex_uid=user.yandex_uid
                )
    except AccountAlreadyBound:
        _MATCHES.labels(way, "taken").inc()
        return None
    return user


@dataclass(frozen=True, slots=True)
class _Way:
    """How people are found: by the task after a registration, and when a passenger comes."""

    is_found: Callable[[User], bool]
    match: Callable[[_Search, str, str], Awaitable[None]]
    recognize: Callable[[_Search, identity.Passenger], Awaitable[User | None]]
    bind: Callable[[_Search, User, identity.Passenger], Awaitable[User]]


_WAYS = {
    "yandex_uid": _Way(lambda user: user.is_matched, _match_account, _recognize_account, _bind_account),
    "phone_id": _Way(lambda user: user.phone_id is not None, _match_phone_id, _recognize_phone_id, _bind_phone_id),
}
