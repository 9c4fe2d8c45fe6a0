"""Everything that a process of music contains."""

from pathlib import Path
from typing import Any

from kit import caches, process, stq, web
from music import config, context
from music.commands import handlers as commands
from music.commands import tasks as command_tasks
from music.orders import handlers as orders
from music.orders import tasks as order_tasks
from music.players import actions as player_actions
from music.players import tasks as player_tasks
from music.screen import actions as screen_actions
from music.screen import handlers as screen
from music.taximeter import handlers as taximeter
from music.tokens import handlers as tokens
from music.tokens import tasks as token_tasks

ROUTES: tuple[web.routes.type_of_handler, ...] = (
    # the passenger, through passenger-authorizer
    screen.state,
    commands.command,
    # the taximeter, through driver-authproxy
    taximeter.update,
    taximeter.pull,
    tokens.issue,
    # processing, totw and support
    screen.totw,
    orders.create,
    orders.close,
    commands.history,
)

TASKS: tuple[stq.Task, ...] = (
    order_tasks.driver_assigned,
    order_tasks.finished,
    token_tasks.revoke,
    command_tasks.push,
    # periodic
    command_tasks.expire,
    player_tasks.lose,
    player_tasks.count,
    player_tasks.purge,
    order_tasks.close_idle,
    order_tasks.purge,
)

SCHEDULE: tuple[stq.Every, ...] = (
    stq.every("music.commands.expire", period_s=2),
    stq.every("music.players.lose", period_s=2),
    stq.every("music.players.close_idle", period_s=60),
    stq.every("music.players.count", period_s=15),
    stq.every("music.players.purge", period_s=86_400),
    stq.every("music.orders.purge", period_s=86_400),
)

CACHES: tuple[caches.Cache[Any] | caches.Keyed[Any], ...] = (player_actions.FIGURES, screen_actions.PLAYERS)

SERVICE = process.Service(
    name="music",
    description="The passenger steers the music in the car, the taximeter plays it",
    settings=config.Config,
    opened=context.opened,
    routes=ROUTES,
    tasks=TASKS,
    schedule=SCHEDULE,
    caches=CACHES,
    migrations=Path(__file__).parent.parent / "migrations",
)
