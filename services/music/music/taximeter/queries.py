"""SQL of reports: the player's row as the taximeter changes it, and the sessions of its devices."""

from kit import pg
from music.players.model import Player
from music.taximeter import model

INSERT_SESSION = """
INSERT INTO players.sessions (player_id, device_session) VALUES (%(player_id)s, %(device_session)s)
ON CONFLICT DO NOTHING
"""


async def insert_session(tx: pg.Transaction, player_id: str, device_session: str) -> bool:
    """Begins a session of a locked player; False when it has been there before."""
    return await tx.run(INSERT_SESSION, player_id=player_id, device_session=device_session) == 1


MARK_REPORTED = """
UPDATE players.players
SET state = %(state)s::jsonb, connection = 'online', applied_seq = %(applied_seq)s, last_error = %(last_error)s::jsonb,
    version = version + %(is_visible)s::integer, device_session = %(device_session)s, report_seq = %(report_seq)s,
    reported_at = clock_timestamp(), touched_at = clock_timestamp()
WHERE player_id = %(player_id)s RETURNING version
"""


async def mark_reported(tx: pg.Transaction, player: Player, report: model.Report, change: model.Change) -> int:
    """Writes a report into a locked player; its version."""
    version: int = await tx.one(
        pg.value,
        MARK_REPORTED,
        player_id=player.player_id,
        device_session=report.device_session,
        report_seq=report.report_seq,
        state=change.state.to_json(),
        applied_seq=change.applied_seq,
        last_error=None if change.last_error is None else dict(change.last_error),
        is_visible=change.is_visible,
    )
    return version
