"""music before the harness."""

from chaos.music import invariants, requests, songs, ticks
from chaos.recording import once
from chaos.stage import Stage
from chaos.trial import Trial

_COMMANDS = "operators' commands are processes of their own"
_TO_OTHERS = "music enqueues no task for another service"


async def _is_served(stage: Stage) -> bool:
    request = requests.state("nobodys", "4000000000")
    world = stage.world
    headers = request.headers_with(world.stack["tickets"])
    answer = await once(world.http, request.method, world.url("music") + request.path, None, headers, 2.0)
    return answer.status == 406


MUSIC = Trial(
    service="music",
    flows=songs.FLOWS,
    ticks=ticks.PREPARED,
    unreached={
        "kit.stq.operating.*": _COMMANDS,
        "kit.stq.outbox.delete:*": _TO_OTHERS,
        "kit.stq.outbox.postpone:*": _TO_OTHERS,
        "stq.relay:*": _TO_OTHERS,
        "music.players.actions.recount:*": "it tells every process to count, and changes nothing",
        "plus.status:after_call": "plus is not there to answer",
    },
    broken=invariants.broken,
    is_served=_is_served,
    schemas=("players", "commands", "orders", "tokens"),
)
