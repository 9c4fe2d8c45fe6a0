"""What a live process of maas holds."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from clients import coupons, masstransit, personal, user_api, vtb, zalogin

from kit import caches, dynconf, pg, stq, tickets
from maas import config

PARTNER = ("maas-authproxy",)
PASSENGER = ("passenger-authorizer",)


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
