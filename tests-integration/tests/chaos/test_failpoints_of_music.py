"""Every durable boundary of music: known, reached by a flow, and survived when the process is killed at it."""

from chaos import failpoints, killing, plans, secrecy
from chaos.music.trial import MUSIC
from chaos.stage import Stage
from local_stack import Stack


def test_each_tick_that_is_prepared_is_in_the_schedule() -> None:
    assert {*MUSIC.ticks} <= {*failpoints.schedule_of("music")}


async def test_every_boundary_is_reached_by_a_flow(own_stack: Stack, recorded: plans.type_of_record) -> None:
    """A boundary that is new in the code fails this until a flow comes to it; so does one that was not read from it."""
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, MUSIC) as now:
        await now.complete(recorded)
    assert "\n".join(plans.differences(MUSIC, recorded)) == ""


async def test_survives_a_kill_at_every_boundary(own_stack: Stack, recorded: plans.type_of_record) -> None:
    async with Stage.opened(own_stack) as stage, killing.Killing.opened(stage, MUSIC) as now:
        await now.complete(recorded)
        kills = await now.kill_everywhere(recorded)
        seen = await secrecy.seen_in_clear(stage, stage.world.secrets)
    assert len(kills) == sum(map(len, plans.targets(MUSIC).values())) > 20
    assert [str(kill) for kill in kills if kill.healed_s > killing.HEALED_WITHIN_S] == []
    assert seen == []
