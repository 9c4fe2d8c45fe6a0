"""What a table says of rounds that are known."""

from collections.abc import Iterator

from bench import contest, pinned

NOBODY = pinned.Server(port=0, pid=0)


def _nothing() -> Iterator[bytes]:
    return iter(())


def _contender(name: str, *per_s: float, cpu_us: float = 100.0) -> contest.Contender:
    rounds = [contest.Round(each, 1.0, 2.0, cpu_us, 1.0, 50.0) for each in per_s]
    return contest.Contender(name, NOBODY, _nothing, rounds=rounds)


def _lines(mine: contest.Contender, ceiling: float = 10_000.0) -> list[str]:
    first, double = _contender("bare", 1000.0, 500.0, 800.0), _contender("bare, again", 1100.0, 500.0, 780.0)
    heat = contest.Heat("polls", [first, double, mine], [contest.Bar("mine", "bare", 0.7)])
    return contest.table(heat, _contender("(load)", *[ceiling] * 3))


def test_prints_medians_and_the_ratio_to_the_first_round_by_round() -> None:
    row = next(
        line for line in _lines(_contender("mine", 900.0, 400.0, 800.0, cpu_us=125.0)) if line.startswith("mine ")
    )
    assert row.split() == ["mine", "800", "1.00", "2.00", "125.0", "100%", "50", "0.90"]


def test_says_whether_a_bar_is_held() -> None:
    held = _lines(_contender("mine", 900.0, 400.0, 800.0, cpu_us=125.0))[-1]
    assert held == "mine / bare: 0.90 by requests, 0.80 by CPU; bar 0.7: held"
    assert _lines(_contender("mine", 600.0, 300.0, 900.0))[-1].startswith("mine / bare: 0.60")
    assert _lines(_contender("mine", 600.0, 300.0, 900.0))[-1].endswith("bar 0.7: NOT held")


def test_says_when_one_program_differed_from_itself() -> None:
    calm = _lines(_contender("mine", 900.0, 400.0, 800.0))[-2]
    assert calm == "A/A (bare): 1.00 by requests, 1.00 by CPU: a tie, as it must be"
    first, double = _contender("bare", 1000.0, 500.0, 800.0), _contender("bare, again", 1300.0, 900.0, 1300.0)
    noisy = contest.table(contest.Heat("polls", [first, double]), _contender("(load)", *[10_000.0] * 3))[-1]
    assert "1.62 by requests" in noisy
    assert "NOT a tie" in noisy


def test_says_when_the_load_was_the_limit() -> None:
    mine = _contender("mine", 900.0, 400.0, 800.0)
    assert not any("the load was the limit" in line for line in _lines(mine))
    near = [line.split(",")[0].split()[0] for line in _lines(mine, ceiling=1000.0) if "the load was the limit" in line]
    assert near == ["bare", "bare", "mine"]


def test_keeps_the_pair_that_all_are_compared_with() -> None:
    all_of_them = [_contender(name) for name in ("bare", "bare, again", "mine", "another")]
    assert [each.name for each in contest.chosen(all_of_them, None)] == ["bare", "bare, again", "mine", "another"]
    assert [each.name for each in contest.chosen(all_of_them, ["min"])] == ["bare", "bare, again", "mine"]
