"""Everything that a process of maas-authproxy contains."""

import functools
from pathlib import Path

from kit import process, stq
from maas_authproxy import config, context
from maas_authproxy.audit import actions as audit
from maas_authproxy.audit import tasks as audit_tasks
from maas_authproxy.keys import commands as key_commands
from maas_authproxy.keys import handlers as keys
from maas_authproxy.proxy import handlers as proxy

ROUTES = proxy.ROUTES

TASKS = (
    # periodic
    audit_tasks.purge,
)

SCHEDULE = (stq.every("maas_authproxy.audit.purge", period_s=3600),)

COMMANDS = (key_commands.NEW_KEY,)

SERVICE = process.Service(
    name="maas-authproxy",
    description="The public edge of maas; every request brings its key in X-API-Key: <key_id>.<random>",
    settings=config.Config,
    opened=functools.partial(context.opened, trail=audit.trail),
    routes=ROUTES,
    tasks=TASKS,
    schedule=SCHEDULE,
    commands=COMMANDS,
    authenticator=keys.authenticator,
    api_key_header=keys.HEADER,
    serves_without_database=True,
    limits=config.limits_of,
    migrations=Path(__file__).parent.parent / "migrations",
)
