"""Deliberate bugs of music, each with the check that must fail while it is there."""

from chaos.music import checks
from chaos.planted import Edit, Fault

_MUSIC = "services/music/music"
_KIT = "libs/kit/kit"

FAULTS = (
    Fault(
        "nothing expires",
        checks.ends_in_time,
        (
            Edit(
                f"{_MUSIC}/commands/actions.py",
                "return await pg.in_batches(functools.partial(_expire, db))",
                "return 0",
            ),
        ),
    ),
    Fault(
        "what was handed out is superseded too",
        checks.nothing_handed_out_is_superseded,
        (
            Edit(
                f"{_MUSIC}/commands/queries.py",
                "c.settled_at IS NULL AND c.status = 'queued' AND c.action",
                "c.settled_at IS NULL AND c.action",
            ),
        ),
    ),
    Fault(
        "a command makes no version",
        checks.every_change_is_a_version,
        (
            Edit(
                f"{_MUSIC}/commands/queries.py",
                "last_seq = last_seq + 1, version = version + 1,",
                "last_seq = last_seq + 1,",
            ),
        ),
    ),
    Fault(
        "the database tells nobody of a change",
        checks.hears_of_other_processes,
        sql=(
            "ALTER TABLE players.players DISABLE TRIGGER tell_of_change",
            "ALTER TABLE players.players ENABLE TRIGGER tell_of_change",
        ),
    ),
    Fault(
        "memory does not hear of changes",
        checks.hears_of_other_processes,
        (
            Edit(
                f"{_KIT}/caches/keyed.py",
                "        if slot is None:\n            return\n        is_needed",
                "        if slot is None or key:\n            return\n        is_needed",
            ),
        ),
    ),
    Fault(
        "memory answers with less than its client knows",
        checks.knows_less_than_its_client,
        (
            Edit(
                f"{_KIT}/caches/keyed.py",
                "if at_least > 0 and (value is None or value is UNKNOWN or value.version < at_least):",
                "if False:",
            ),
        ),
    ),
    Fault(
        "an older report is taken",
        checks.late_report_changes_nothing,
        (Edit(f"{_MUSIC}/taximeter/actions.py", "elif report.report_seq <= (player.report_seq or 0):", "elif False:"),),
    ),
    Fault(
        "a replaced taximeter comes back",
        checks.replaced_taximeter_is_refused,
        (
            Edit(
                f"{_MUSIC}/taximeter/actions.py",
                "                raise model.DeviceSessionReplaced",
                "                pass",
            ),
        ),
    ),
    Fault(
        "a result counts again",
        checks.result_counts_once,
        (
            Edit(
                f"{_MUSIC}/commands/queries.py",
                "WHERE c.player_id = %(player_id)s AND c.seq = s.seq AND c.settled_at IS NULL",
                "WHERE c.player_id = %(player_id)s AND c.seq = s.seq",
            ),
            Edit(
                f"{_MUSIC}/commands/queries.py",
                "FROM commands.commands WHERE player_id = %(player_id)s AND settled_at IS NULL ORDER BY seq",
                "FROM commands.commands WHERE player_id = %(player_id)s ORDER BY seq",
            ),
            Edit(
                f"{_MUSIC}/commands/actions.py",
                "(tx, player.player_id) if player.last_seq > player.applied_seq else []",
                "(tx, player.player_id)",
            ),
        ),
    ),
    Fault(
        "a player is closed without its commands",
        checks.ends_with_its_player,
        (
            Edit(
                f"{_MUSIC}/orders/actions.py",
                "    await commands.cancel_open(tx=tx, player_id=player.player_id, reason=reason)\n",
                "",
            ),
        ),
    ),
    Fault(
        "the keys of a closed player stay good",
        checks.ends_with_its_player,
        (
            Edit(
                f"{_MUSIC}/orders/actions.py",
                "    await tokens.order_revocation(tx=tx, queue=queue, player_id=player.player_id)\n",
                "",
            ),
        ),
    ),
    Fault(
        "events are taken in any order",
        checks.late_events_change_nothing,
        (
            Edit(f"{_MUSIC}/orders/actions.py", "standing.event_seq < assignment.event_seq:", "True:"),
            Edit(
                f"{_MUSIC}/orders/queries.py",
                "    not_opened_reason = excluded.not_opened_reason\nWHERE o.event_seq < excluded.event_seq",
                "    not_opened_reason = excluded.not_opened_reason",
            ),
        ),
    ),
    Fault(
        "clicks are not counted",
        checks.too_many_clicks_are_refused,
        (Edit(f"{_MUSIC}/commands/queries.py", "c.seq = p.last_seq + 1 - %(limit)s", "c.seq = - %(limit)s"),),
    ),
    Fault(
        "a repeated command is refused",
        checks.repeats_its_answer,
        (Edit(f"{_MUSIC}/commands/actions.py", "        if known is None:\n", "        if True:\n"),),
    ),
    Fault(
        "anybody steers anybody's music",
        checks.nobody_steers_anothers_ride,
        (
            Edit(
                f"{_MUSIC}/players/actions.py", "player is None or player.yandex_uid != yandex_uid:", "player is None:"
            ),
        ),
    ),
    Fault(
        "who clicks while the driver changes is sent away",
        checks.driver_change_hides_nothing,
        (
            Edit(
                f"{_MUSIC}/players/actions.py",
                "that one's.\n        player = await queries.lock_newest(tx, order_id)",
                "that one's.\n        pass",
            ),
        ),
    ),
    Fault(
        "another driver's player counts from one",
        checks.counts_on_with_another_driver,
        sql=(
            "ALTER TABLE players.players DISABLE TRIGGER begin_above",
            "ALTER TABLE players.players ENABLE TRIGGER begin_above",
        ),
    ),
)
CHECKS = tuple(dict.fromkeys(fault.check for fault in FAULTS))
