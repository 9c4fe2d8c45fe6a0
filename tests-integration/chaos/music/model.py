"""music as the journal of one order: for each state and call, every answer that may be given.

When the time of a command is over is not the callers' to decide: from then on it may be expired at any moment, or meet
its end in another way before somebody notices. Polls are not judged here but in `polls`: what they say may be a moment
old.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from chaos import linearizability
from chaos.linearizability import Impossible, Operation, type_of_answer
from chaos.music.order import (
    APPLIED,
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    NEEDS_A_STATE,
    QUEUED,
    REPLACED_BY_THE_NEXT,
    SUPERSEDED,
    Action,
    Command,
    Order,
    Player,
)

type_of_outcome = tuple[type_of_answer, Order]


def possible(state: Order, action: Action) -> Iterator[type_of_outcome]:
    """Every answer to the call in this state, with the state after it."""
    for moment in _moments(state):
        yield from KINDS[action.kind](moment, action)


def _moments(state: Order) -> Iterator[Order]:
    """The state, and those in which commands whose time is over have been expired by now."""
    over = [
        (place, seq)
        for place, player in enumerate(state.players)
        for seq, each in player.numbered()
        if each.is_over and each.is_open
    ]
    for expired in itertools.chain.from_iterable(itertools.combinations(over, n) for n in range(len(over) + 1)):
        moment = state
        for place, seq in expired:
            moment = moment.with_player(place, moment.players[place].with_status(seq, EXPIRED))
        yield moment


def _refused(code: str, reason: str = "") -> type_of_answer:
    return ("refused", code, reason)


def _command(state: Order, action: Action) -> Iterator[type_of_outcome]:
    if (found := state.find_command(action.command_id)) is not None:
        seq, known = found
        yield ("ok", seq) if known.button == action.button else _refused("command_id_reused"), state
        return
    player = state.current
    if player is None or not player.is_active:
        yield _refused("player_unavailable", "no_player" if player is None else "closed"), state
    elif action.button in NEEDS_A_STATE and not player.session:
        yield _refused("action_disallowed", "no_state"), state
    else:
        if action.button in REPLACED_BY_THE_NEXT:
            for seq, each in player.numbered():
                if each.status == QUEUED and each.button == action.button:
                    player = player.with_status(seq, SUPERSEDED)
        player = player._replace(commands=(*player.commands, Command(action.command_id, action.button)))
        made = len(state.players) - 1, player.last_seq
        if action.made in (None, made):
            yield ("ok", made[1]), state.with_player(made[0], player)


def _of_driver(state: Order, action: Action) -> tuple[int, Player] | type_of_answer:
    place = state.place_of(action.driver)
    if place is None:
        return _refused("not_your_player")
    player = state.players[place]
    return (place, player) if player.is_active else _refused("player_closed")


def _pull(state: Order, action: Action) -> Iterator[type_of_outcome]:
    match _of_driver(state, action):
        case int(place), Player() as player:
            yield from _handed_out(state, place, player, action.seq)
        case refusal:
            yield refusal, state


def _handed_out(state: Order, place: int, player: Player, after_seq: int) -> Iterator[type_of_outcome]:
    """What is open is told, and delivered by that; what is over need not be told any more."""
    told = player.open_after(after_seq)
    over = [seq for seq in told if player.command(seq).is_over]
    for kept_back in itertools.chain.from_iterable(itertools.combinations(over, n) for n in range(len(over) + 1)):
        handed = tuple(seq for seq in told if seq not in kept_back)
        after = player
        for seq in handed:
            after = after.with_status(seq, DELIVERED)
        yield ("ok", handed), state.with_player(place, after)


def _report(state: Order, action: Action) -> Iterator[type_of_outcome]:
    match _of_driver(state, action):
        case int(place), Player() as player:
            if action.session in player.former_sessions:
                yield _refused("device_session_replaced"), state
            elif action.session == player.session and action.seq <= player.report_seq:
                yield from _handed_out(state, place, player, 0)
            elif _done(player, action) > player.last_seq:
                yield _refused("seq_unknown"), state
            else:
                yield from _handed_out(state, place, _reported(player, action), 0)
        case refusal:
            yield refusal, state


def _done(player: Player, action: Action) -> int:
    return max((player.applied_seq, action.applied_seq, *action.applied, *action.failed))


def _reported(player: Player, action: Action) -> Player:
    former = player.former_sessions
    if player.session not in ("", action.session):
        former |= {player.session}
    player = player._replace(session=action.session, former_sessions=former, report_seq=action.seq)
    fates = dict.fromkeys(action.applied, APPLIED) | dict.fromkeys(action.failed, FAILED)
    done = _done(player, action)
    for seq in sorted(fates):
        if seq > player.begun and player.command(seq).is_open:
            player = player.with_status(seq, fates[seq])
    for seq in player.open_after(0):
        if seq <= done:
            player = player.with_status(seq, FAILED)
    return player._replace(applied_seq=done)


def _assign(state: Order, action: Action) -> Iterator[type_of_outcome]:
    if action.seq <= state.event_seq:
        yield ("ok",), state
        return
    current = state.current
    if current is None or not current.is_active or current.driver != action.driver:
        state = _closed(state)
        begun = 0 if current is None else current.last_seq
        state = state._replace(players=(*state.players, Player(action.driver, applied_seq=begun, begun=begun)))
    yield ("ok",), state._replace(event_seq=action.seq)


def _finish(state: Order, action: Action) -> Iterator[type_of_outcome]:
    yield ("ok",), state if action.seq <= state.event_seq else _closed(state)._replace(event_seq=action.seq)


def _closed(state: Order) -> Order:
    player = state.current
    if player is None or not player.is_active:
        return state
    for seq in player.open_after(0):
        player = player.with_status(seq, CANCELLED)
    return state.with_player(len(state.players) - 1, player._replace(is_active=False))


def _lapse(state: Order, action: Action) -> Iterator[type_of_outcome]:
    """The time of a command is over."""
    for place, player in enumerate(state.players):
        for seq, each in player.numbered():
            if each.command_id == action.command_id and each.is_open and not each.is_over:
                over = player.with_command(seq, each._replace(is_over=True))
                yield ("ok", 1), state.with_player(place, over)
                return
    yield ("ok", 0), state


def _journal(state: Order, action: Action) -> Iterator[type_of_outcome]:
    """Everything, as the database has it."""
    yield ("ok", state.event_seq, *(_shown(player) for player in state.players)), state


def _shown(player: Player) -> tuple[str, bool, int, tuple[str, ...]]:
    return player.driver, player.is_active, player.applied_seq, tuple(each.status for each in player.commands)


KINDS: dict[str, Callable[[Order, Action], Iterator[type_of_outcome]]] = {
    "command": _command,
    "pull": _pull,
    "report": _report,
    "assign": _assign,
    "finish": _finish,
    "lapse": _lapse,
    "journal": _journal,
}


def check(
    history: Sequence[Operation[Action]], made: Mapping[str, tuple[int, int]] | None = None
) -> Impossible[Action, Order] | None:
    """What in the history of one order can't have been.

    `made` says what the journal has in the end, which forgets nothing: the player's place and the number of each
    command_id. Without it there is far more that may have become of commands without an answer.
    """
    known = history if made is None else [*_found_out(history, made)]
    return linearizability.check(linearizability.Model(Order(), possible, lambda _: ("order",)), known)


def _found_out(
    history: Sequence[Operation[Action]], made: Mapping[str, tuple[int, int]]
) -> Iterator[Operation[Action]]:
    for each in history:
        if each.action.kind != "command":
            yield each
        elif each.answer is not None or each.action.command_id in made:
            yield replace(each, action=replace(each.action, made=made.get(each.action.command_id)))
