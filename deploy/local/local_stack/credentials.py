"""Keys, tickets and passwords of one stack; random, and kept only as long as its data."""

import secrets
from collections.abc import Iterable, Mapping, Sequence

from kit import tickets
from local_stack import folder, services

_TICKET_TTL_S = 30 * 24 * 3600.0


def passwords(run: folder.Folder, table: Sequence[services.Service], *, keep_data: bool) -> dict[str, str]:
    """The engines' passwords and the services' random settings (`maas-authproxy.key-secret`); those of kept data."""
    known: Mapping[str, str] = run.read_json("secrets.json", {}) if keep_data else {}
    names = ["postgres", "rabbitmq", *(f"{service.name}.{name}" for service in table for name in service.secrets)]
    found = {name: known.get(name) or secrets.token_urlsafe(24) for name in names}
    run.write_json("secrets.json", found)
    return found


def issue_tickets(run: folder.Folder, callers: Iterable[str]) -> dict[str, str]:
    """A new key pair, its `jwks.json`, and a ticket per caller: in `tickets.json` and one file each."""
    key = tickets.new_key()
    run.write("jwks.json", tickets.jwks(key))
    issued = {caller: tickets.issue(key, caller, _TICKET_TTL_S) for caller in callers}
    for caller, ticket in issued.items():
        run.write(f"tickets/{caller}.token", ticket)
    run.write_json("tickets/all.json", issued)
    return issued
