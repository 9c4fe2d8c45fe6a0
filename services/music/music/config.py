"""Settings from `MUSIC_*`, the names of the dynamic config, and the experiment."""

from dataclasses import dataclass

from marshmallow import fields as ma
from marshmallow import validate

from kit import dynconf, fields, http_client, process

_ACTIONS = ("play", "pause", "next", "previous", "play_item", "set_volume", "seek")
_VERSION = validate.Regexp(r"\A\d{1,9}(\.\d{1,9}){0,4}\Z")


@dataclass(frozen=True, kw_only=True)
class Config(process.Settings):
    """Where the neighbours are, on top of what every service reads."""

    plus_url: str
    music_backend_url: str
    communications_url: str


class CommandsSchema(fields.Strict):
    """How long a command may wait for the taximeter, by action where it differs, and how many a player takes."""

    lifetime_s = fields.Whole(least=1, most=300, load_default=15)
    lifetime_by_action_s = ma.Dict(
        keys=ma.String(validate=validate.OneOf(_ACTIONS)), values=fields.Whole(least=1, most=300), load_default=dict
    )
    limit = fields.Whole(least=1, most=1_000_000, load_default=10)
    limit_window_s = fields.Whole(least=1, most=3600, load_default=5)


class PlayersSchema(fields.Strict):
    """When a player that is not heard of is lost, when an idle one is closed, and how long a closed one is kept."""

    lost_after_s = fields.Whole(least=1, most=3600, load_default=45)
    idle_after_s = fields.Whole(least=60, most=604_800, load_default=21_600)
    keep_days = fields.Whole(least=1, most=3660, load_default=30)


class PollingSchema(fields.Strict):
    """How often a client polls, and from which status of the order (M-13, M-28)."""

    interval_ms = fields.Whole(least=100, most=60_000, load_default=1000)
    from_status = fields.Text(longest=32, load_default="transporting")


class InRideSchema(fields.Strict):
    """What those in the experiment get: nothing to choose yet."""


COMMANDS = dynconf.Value(
    "MUSIC_COMMANDS",
    ma.Nested(CommandsSchema),
    "Lifetimes and limits of commands (M-23)",
    default=CommandsSchema().load({}),
)
PLAYERS = dynconf.Value(
    "MUSIC_PLAYERS",
    ma.Nested(PlayersSchema),
    "When players are lost, closed and forgotten",
    default=PlayersSchema().load({}),
)
POLLING = dynconf.Value(
    "MUSIC_POLLING",
    ma.Nested(PollingSchema),
    "How clients poll (M-13, M-27, M-28)",
    default=PollingSchema().load({}),
)
TOKEN_TTL_S = dynconf.Value(
    "MUSIC_TOKEN_TTL_S", fields.Whole(least=60, most=3600), "Life of a taximeter's temporary token (M-11)", default=600
)
TAXIMETER_VERSION = dynconf.Value(
    "MUSIC_TAXIMETER_VERSION",
    ma.String(validate=_VERSION),
    "The first version of the taximeter that can play (T6)",
)
VALUES = (COMMANDS, PLAYERS, POLLING, TOKEN_TTL_S, TAXIMETER_VERSION, http_client.CLIENT_QOS)

IN_RIDE = dynconf.Experiment("music_in_ride", InRideSchema(), "Whose rides have music (M-24)")
EXPERIMENTS = (IN_RIDE,)
