"""Everything that a process of maas contains."""

from pathlib import Path

from kit import process, stq
from maas import config, context
from maas.binding import handlers as binding
from maas.binding import tasks as binding_tasks
from maas.figures import actions as figure_actions
from maas.figures import tasks as figure_tasks
from maas.metro import actions as metro_actions
from maas.metro import handlers as metro
from maas.metro import tasks as metro_tasks
from maas.promocodes import handlers as promocodes
from maas.promocodes import tasks as promocode_tasks
from maas.reconciliation import commands as reconciliation_commands
from maas.reconciliation import tasks as reconciliation_tasks
from maas.rides import handlers as rides
from maas.rides import tasks as ride_tasks
from maas.showcase import handlers as showcase
from maas.subscriptions import handlers as subscriptions
from maas.subscriptions import tasks as subscription_tasks
from maas.support import commands as support_commands
from maas.tariffs import handlers as tariffs
from maas.tokens import tasks as token_tasks
from maas.users import handlers as users
from maas.users import tasks as user_tasks

ROUTES = (
    # the partner, through maas-authproxy
    users.create,
    users.update,
    subscriptions.reserve,
    subscriptions.activate,
    subscriptions.cancel,
    subscriptions.extend,
    subscriptions.info,
    subscriptions.status,
    tariffs.available,
    tariffs.available_to_user,
    metro.nearest_for_partner,
    metro.report_rides,
    # the passenger, through passenger-authorizer
    binding.register,
    binding.info,
    showcase.product_info,
    showcase.start,
    metro.nearest_for_passenger,
    # coupons, products and order processing
    binding.shortcut,
    rides.check_promocode,
    promocodes.choose_ours,
    rides.hold,
    rides.complete,
    rides.release,
)

TASKS = (
    binding_tasks.match,
    promocode_tasks.issue,
    promocode_tasks.revoke,
    ride_tasks.report,
    # periodic
    subscription_tasks.settle,
    subscription_tasks.purge,
    promocode_tasks.reconcile,
    metro_tasks.refresh,
    metro_tasks.purge,
    figure_tasks.count,
    reconciliation_tasks.compare,
    token_tasks.purge,
    user_tasks.purge,
)

SCHEDULE = (
    stq.every("maas.subscriptions.settle", period_s=10),
    stq.every("maas.subscriptions.purge", period_s=86_400),
    stq.every("maas.promocodes.reconcile", period_s=60),
    stq.every("maas.metro.refresh", period_s=3600),
    stq.every("maas.metro.purge", period_s=86_400),
    stq.every("maas.figures.count", period_s=60),
    stq.every("maas.reconciliation.compare", period_s=86_400),
    stq.every("maas.tokens.purge", period_s=86_400),
    stq.every("maas.users.purge", period_s=86_400),
)

CACHES = (metro_actions.STATIONS, figure_actions.FIGURES)

COMMANDS = (*support_commands.COMMANDS, reconciliation_commands.REPORT)

SERVICE = process.Service(
    name="maas",
    description="Subscriptions to metro and taxi, sold with a bank and the metro",
    settings=config.Config,
    opened=context.opened,
    routes=ROUTES,
    tasks=TASKS,
    schedule=SCHEDULE,
    caches=CACHES,
    commands=COMMANDS,
    migrations=Path(__file__).parent.parent / "migrations",
)
