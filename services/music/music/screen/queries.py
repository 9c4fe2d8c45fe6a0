"""SQL that gathers what the passenger sees, for many orders at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit import pg
from music.players.model import CLOSED, NOT_ELIGIBLE, Action, Connection, State
from music.screen import model

LIST_SCREENS = """
SELECT asked.order_id, coalesce(p.yandex_uid, o.yandex_uid) AS yandex_uid, p.player_id, p.version,
       p.status = 'active' AS is_active, p.connection, p.state, p.last_error,
       c.command_id, c.seq, c.action, c.expires_at, o.not_opened_reason
FROM unnest(%(order_ids)s::text[]) AS asked (order_id)
LEFT JOIN LATERAL (
    SELECT * FROM players.players WHERE order_id = asked.order_id ORDER BY version DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT * FROM commands.commands WHERE player_id = p.player_id AND settled_at IS NULL ORDER BY seq DESC LIMIT 1
) c ON true
LEFT JOIN orders.orders o ON o.order_id = asked.order_id
WHERE p.player_id IS NOT NULL OR o.not_opened_reason IS NOT NULL
"""


async def list_screens(db: pg.Executor, order_ids: Sequence[str]) -> Mapping[str, model.Screen]:
    """Of each order that ever had a player, or the reason for none."""
    return dict(await db.all(_screen, LIST_SCREENS, order_ids=list(order_ids)))


def _screen(
    *,
    order_id: str,
    yandex_uid: str,
    version: int | None,
    is_active: bool | None,
    not_opened_reason: str | None,
    **row: Any,
) -> tuple[str, model.Screen]:
    if is_active:
        return order_id, model.Screen.of(yandex_uid, _view({**row, "version": version}))
    refusal = CLOSED if not_opened_reason is None else NOT_ELIGIBLE
    return order_id, model.Screen.without_music(yandex_uid, version or 0, refusal)


def _view(row: dict[str, Any]) -> model.View:
    command_id, seq, action, deadline = (row.pop(name) for name in ("command_id", "seq", "action", "expires_at"))
    state = row.pop("state")
    return model.View(
        connection=Connection(row.pop("connection")),
        state=None if state is None else State.from_json(state),
        pending=None if command_id is None else model.Pending(command_id, seq, Action(action), deadline),
        **row,
    )
