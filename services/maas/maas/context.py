"""What a live process of maas holds."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from clients import coupons, masstransit, personal, user_api, vtb, zalogin
from kit import caches, dynconf, parts, pg, stq
from maas import config

PARTNER = ("maas-authproxy",)
PASSENGER = ("passenger-authorizer",)
PRODUCTS = ("products",)


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, storage, queue and neighbours."""

    config: config.Config
    dynamic: dynconf.Configs
    db: pg.Database
    queue: stq.Queue
    caches: caches.Caches
    coupons: coupons.Coupons
    masstransit: masstransit.Masstransit
    personal: personal.Personal
    user_api: user_api.UserApi
    vtb: vtb.Vtb
    zalogin: zalogin.Zalogin


@contextlib.asynccontextmanager
async def opened(settings: config.Config) -> AsyncIterator[Context]:
    """The context of a process with these settings."""
    async with parts.opened("maas", settings, config.VALUES) as common:
        yield Context(
            config=settings,
            dynamic=common.dynamic,
            db=common.db,
            queue=common.queue,
            caches=common.caches,
            coupons=await common.neighbour(coupons.Coupons, settings.coupons_url),
            masstransit=await common.neighbour(masstransit.Masstransit, settings.masstransit_url),
            personal=await common.neighbour(personal.Personal, settings.personal_url),
            user_api=await common.neighbour(user_api.UserApi, settings.user_api_url),
            vtb=await common.neighbour(vtb.Vtb, settings.vtb_url),
            zalogin=await common.neighbour(zalogin.Zalogin, settings.zalogin_url),
        )
