"""Whether overlapping operations could have come of something that does one at a time, each between its begin and end.

The search is Wing and Gong's, with Lowe's remedy: an operation takes effect only when the answer that is next in time
asks for it, what touches nothing that it touches waits for its own turn, and a configuration (the state, and what has
begun but not taken effect) is looked at once. An operation whose outcome nobody knows may take effect at any time after
its begin, until its end if it has one, or never.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

A = TypeVar("A", bound=Hashable)
S = TypeVar("S", bound=Hashable)

type_of_answer = tuple[Hashable, ...]
_MOST_LOOKED_AT = 100_000


class Undecided(AssertionError):
    """There are too many possibilities to look at: the history has too many unknown outcomes that nothing settled."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """One call; `begin` and `end` are places in time, all different. Without an answer its outcome is not known.

    The end of such a one is when it surely is over, if anybody knows.
    """

    action: A
    begin: int
    end: int | None = None
    answer: type_of_answer | None = None

    def __str__(self) -> str:
        said = "nobody knows" if self.answer is None else " ".join(map(str, self.answer))
        return f"{self.begin:>5}–{self.end if self.answer is not None else '?':<5} {self.action}: {said}"


@dataclass(frozen=True, slots=True)
class Impossible(Generic[A, S]):
    """No order explains the answer of `operation`: what had begun by then, and the states that were possible before."""

    operation: Operation[A]
    beside: Sequence[Operation[A]]
    states: Sequence[S]

    def __str__(self) -> str:
        beside = "".join(f"\n    {each}" for each in self.beside)
        states = "".join(f"\n    {each}" for each in self.states)
        return f"no order explains\n    {self.operation}\n  beside{beside or ' nothing'}\n  after one of{states}"


_Configuration = tuple[S, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Model(Generic[A, S]):
    """What the calls do: for a state and an action every answer that may be given, with the state that follows it.

    `touches` names what an operation reads or changes: two that share no name do the same in either order.
    """

    initial: S
    possible: Callable[[S, A], Iterable[tuple[type_of_answer, S]]]
    touches: Callable[[Operation[A]], Iterable[str]]


def check(model: Model[A, S], history: Iterable[Operation[A]]) -> Impossible[A, S] | None:
    """The first answer that nothing explains; None when there is an order for all of them."""
    return _Search(model, list(history)).run()


class _Search(Generic[A, S]):
    """Operations are named by their place in `operations`."""

    def __init__(self, model: Model[A, S], operations: Sequence[Operation[A]]) -> None:
        self._model = model
        self._operations = operations
        self._touched = [frozenset(model.touches(each)) for each in operations]

    def run(self) -> Impossible[A, S] | None:
        configurations: set[_Configuration[S]] = {(self._model.initial, frozenset())}
        for _, index, is_end in self._events():
            if not is_end:
                configurations = {(state, waiting | {index}) for state, waiting in configurations}
                continue
            if self._operations[index].answer is None:
                never = {(state, waiting - {index}) for state, waiting in configurations}
                configurations = self._strongest(never | self._answered(configurations, index))
                continue
            after = self._answered(configurations, index)
            if not after:
                return self._impossible(configurations, index)
            configurations = self._strongest(after)
        return None

    def _events(self) -> list[tuple[int, int, bool]]:
        begins = [(each.begin, index, False) for index, each in enumerate(self._operations)]
        ends = [(each.end, index, True) for index, each in enumerate(self._operations) if each.end is not None]
        return sorted(begins + ends)

    def _answered(self, configurations: set[_Configuration[S]], index: int) -> set[_Configuration[S]]:
        """Where one may be once `index` has taken effect, and before it whatever else it needs."""
        found = {each for each in configurations if index not in each[1]}
        left = [each for each in configurations if index in each[1]]
        seen = set(left)
        while left:
            state, waiting = left.pop()
            for chosen in self._candidates(waiting, index):
                for configuration in self._effects(state, waiting, chosen):
                    if chosen == index:
                        found.add(configuration)
                    elif configuration not in seen:
                        seen.add(configuration)
                        left.append(configuration)
            if len(seen) > _MOST_LOOKED_AT:
                raise Undecided(str(self._operations[index]))
        return found

    def _candidates(self, waiting: frozenset[int], index: int) -> Iterator[int]:
        """What may have to take effect before `index`, and itself.

        Of equal ones whose outcome is not known the first stands for all.
        """
        unknown = set[A]()
        for each in sorted(self._related(waiting, index)):
            operation = self._operations[each]
            if operation.answer is None:
                if operation.action in unknown:
                    continue
                unknown.add(operation.action)
            yield each

    def _related(self, waiting: frozenset[int], index: int) -> set[int]:
        """Those that touch what `index` touches, those that touch what these touch, and so on."""
        related, touched, left = {index}, set(self._touched[index]), set(waiting - {index})
        while found := {each for each in left if not touched.isdisjoint(self._touched[each])}:
            related |= found
            left -= found
            touched.update(*(self._touched[each] for each in found))
        return related

    def _effects(self, state: S, waiting: frozenset[int], index: int) -> Iterator[_Configuration[S]]:
        operation = self._operations[index]
        for answer, after in self._model.possible(state, operation.action):
            if answer == operation.answer or (operation.answer is None and after != state):
                yield after, waiting - {index}

    def _strongest(self, configurations: set[_Configuration[S]]) -> set[_Configuration[S]]:
        """Without those that can do less than another: the same state, and of what need not happen fewer are left."""
        optional = defaultdict[_Configuration[S], set[frozenset[int]]](set)
        for state, waiting in configurations:
            free = frozenset(each for each in waiting if self._operations[each].answer is None)
            optional[state, waiting - free].add(free)
        return {
            (state, owed | free)
            for (state, owed), frees in optional.items()
            for free in frees
            if not any(free < other for other in frees)
        }

    def _impossible(self, configurations: set[_Configuration[S]], index: int) -> Impossible[A, S]:
        beside = sorted({each for _, waiting in configurations for each in waiting} - {index})
        states = list(dict.fromkeys(state for state, _ in configurations))
        return Impossible(self._operations[index], [self._operations[each] for each in beside], states[:20])
