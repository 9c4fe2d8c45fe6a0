"""Every durable boundary of the services: known, reached by a flow, and survived when the process is killed at it."""

from pathlib import Path

import pytest

from chaos import failpoints, killing, plans, secrecy
from chaos.maas.trial import MAAS
from chaos.stage import Stage
from kit import pg
from local_stack import Stack

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
    for service in MAAS.services:
        names = [point.name for point in (*failpoints.of_service(service), *failpoints.of_queue())]
        assert len(names) == len(set(names)) > 20


async def test_every_boundary_is_reached_by_a_flow(own_stack: Stack, recorded: plans.type_of_record) -> None:
    """A boundary that is new in the code fails this until a flow comes to it; so does one that was not read from it."""
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, MAAS) as now:
        await now.complete(recorded)
    assert "\n".join(plans.differences(MAAS, recorded)) == ""


async def test_survives_a_kill_at_every_boundary(own_stack: Stack, recorded: plans.type_of_record) -> None:
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, MAAS) as now:
        await now.complete(recorded)
        kills = await now.kill_everywhere(recorded)
        codes = await stage.databases["maas"].all(pg.value, "SELECT promocode FROM subscriptions.subscriptions")
        seen = await secrecy.seen_in_clear(stage, stage.world.secrets - {*codes})
    assert len(kills) == sum(map(len, plans.targets(MAAS).values()))
    assert [str(kill) for kill in kills if kill.healed_s > killing.HEALED_WITHIN_S] == []
    assert seen == []
