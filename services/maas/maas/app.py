"""Everything that a process of maas contains."""

from pathlib import Path

from kit import process, stq
from maas import config, context
from maas.binding import handlers as binding
from maas.binding import tasks as binding_tasks
from maas.metro import actions as metro_actions
from maas.metro import handlers as metro
from maas.metro import tasks as metro_tasks
from maas.promocodes import tasks as promocode_tasks
from maas.rides import handlers as rides
from maas.rides import tasks as ride_tasks
from maas.subscriptions import handlers as subscriptions
from maas.subscriptions import tasks as subscription_tasks
from maas.users import handlers as users

ROUTES = (
    # the partner, through maas-authproxy
    users.create,
    subscriptions.reserve,
    subscriptions.activate,
    subscriptions.cancel,
    subscriptions.info,
    subscriptions.status,
    metro.nearest_for_partner,
    # the passenger, through passenger-authorizer
    binding.info,
    metro.nearest_for_passenger,
    # coupons and order processing
    rides.check_promocode,
    rides.hold,
    rides.complete,
    rides.release,
)

TASKS = (
    binding_tasks.match,
    promocode_tasks.issue,
    ride_tasks.report,
    # periodic
    subscription_tasks.settle,
    promocode_tasks.reconcile,
    metro_tasks.refresh,
)

SCHEDULE = (
    stq.every("maas.subscriptions.settle", period_s=10),
    stq.every("maas.promocodes.reconcile", period_s=60),
    stq.every("maas.metro.refresh", period_s=3600),
)

CACHES = (metro_actions.STATIONS,)

SERVICE = process.Service(
    name="maas",
    description="Subscriptions to metro and taxi, sold with a bank and the metro",
    settings=config.Config,
    opened=context.opened,
    routes=ROUTES,
    tasks=TASKS,
    schedule=SCHEDULE,
    caches=CACHES,
    migrations=Path(__file__).parent.parent / "migrations",
)
