"""Every durable boundary of the services: known, reached by a flow, and survived when the process is killed at it."""

import fnmatch
from pathlib import Path

import pytest

from chaos import failpoints, figures, invariants, killing
from chaos.stage import Stage
from kit import pg
from local_stack import Stack

SERVICES = ("maas", "maas-authproxy")
_COMMANDS = "operators' commands are processes of their own"
_TO_OTHERS = "neither service enqueues a task for another one yet"
# Boundaries that no flow of these services comes to, and why.
UNREACHED = {
    "kit.stq.operating.*": _COMMANDS,
    "maas.support.*": _COMMANDS,
    "maas.promocodes.actions.reissue:*": _COMMANDS,
    "maas.reconciliation.actions.order:*": _COMMANDS,
    "kit.stq.outbox.delete:*": _TO_OTHERS,
    "kit.stq.outbox.postpone:*": _TO_OTHERS,
    "stq.relay:*": _TO_OTHERS,
}
# Boundaries that are reached, but that nothing can be learnt at.
NOT_KILLED_AT = {
    "kit.stq.ledger.claim:*": "an empty claim comes here as well; stq.claim is where there is something to lose",
}


@pytest.fixture(scope="module")
def recorded() -> killing.type_of_record:
    """What each flow reached, once it has been recorded."""
    return {}


def _matches(name: str, patterns: dict[str, str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _expected(service: str) -> set[str]:
    points = {point.name for point in (*failpoints.of_service(service), *failpoints.of_queue())}
    return {name for name in points if not _matches(name, UNREACHED)}


_ACTIONS = """
from demo.things import queries

async def twice(db):
    async with db.transaction() as tx:
        await queries.insert(tx)
    await queries.count(db)
    await queries.insert(db)
    await db.run("SELECT 1")
"""
_QUERIES = """
INSERT = "INSERT INTO things VALUES (1)"
COUNT = "SELECT count(*) FROM things"

async def insert(db):
    await db.run(INSERT)

async def count(db):
    await db.one(int, COUNT)
"""


def test_reads_the_boundaries_from_the_code(tmp_path: Path) -> None:
    folder = tmp_path / "services/demo/demo/things"
    folder.mkdir(parents=True)
    (folder / "actions.py").write_text(_ACTIONS)
    (folder / "queries.py").write_text(_QUERIES)
    found = [point.name for point in failpoints.of_service("demo", tmp_path)]
    places = ("demo.things.actions.twice", "demo.things.queries.insert")
    assert found == [f"{place}:{side}" for place in places for side in ("after_commit", "before_commit")]
    (folder / "actions.py").write_text(_ACTIONS + "    async with db.transaction() as tx:\n        pass\n")
    with pytest.raises(failpoints.DoublePlace, match=r"demo\.things\.actions\.twice"):
        failpoints.of_service("demo", tmp_path)


def test_each_boundary_has_a_name_of_its_own() -> None:
    """Two transactions of one function would raise DoublePlace, with the function's name."""
    for service in SERVICES:
        names = [point.name for point in (*failpoints.of_service(service), *failpoints.of_queue())]
        assert len(names) == len(set(names)) > 20


async def _record(now: killing.Killing, recorded: killing.type_of_record) -> None:
    if not recorded:
        with figures.timed("flows recorded") as figure:
            recorded |= await now.record()
            figure.count = len(recorded)


async def test_every_boundary_is_reached_by_a_flow(own_stack: Stack, recorded: killing.type_of_record) -> None:
    """A boundary that is new in the code fails this until a flow comes to it; so does one that was not read from it."""
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, SERVICES) as now:
        await _record(now, recorded)
    for service in SERVICES:
        expected, patterns = _expected(service), [name for name in _expected(service) if "*" in name]
        reached = {name for flow in recorded.values() for name in flow[service]}
        reached = {next((each for each in patterns if fnmatch.fnmatchcase(name, each)), name) for name in reached}
        if service != "maas":  # what only a flow of maas does to the queue is the same code
            expected -= {point.name for point in failpoints.of_queue()} - reached
        wrong = [
            f"{name} is {'not reached' if name in expected else 'not known'}" for name in sorted(reached ^ expected)
        ]
        assert not wrong, f"{service}: {', '.join(wrong)}"


async def test_survives_a_kill_at_every_boundary(own_stack: Stack, recorded: killing.type_of_record) -> None:
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, SERVICES) as now:
        await _record(now, recorded)
        wanted = {
            service: sorted(name for name in _expected(service) if not _matches(name, NOT_KILLED_AT))
            for service in SERVICES
        }
        wanted["maas-authproxy"] = sorted(point.name for point in failpoints.of_service("maas-authproxy"))
        planned = killing.plan(recorded, wanted)
        kills: list[killing.Kill] = []
        with figures.timed("kill points hit") as figure:
            for flow, points in planned.items():
                kills += await now.kill_at_each(flow, points)
                figure.count = len(kills)
                figure.remark = f"all well again after {max(kill.healed_s for kill in kills):.1f} s at the most"
        slow = [str(kill) for kill in kills if kill.healed_s > killing.HEALED_WITHIN_S]
        codes = await stage.databases["maas"].all(pg.value, "SELECT promocode FROM subscriptions.subscriptions")
        seen = await invariants.seen_in_clear(stage, stage.world.secrets - {*codes})
    assert len(kills) == sum(map(len, wanted.values()))
    assert not slow, "\n".join(slow)
    assert seen == []
