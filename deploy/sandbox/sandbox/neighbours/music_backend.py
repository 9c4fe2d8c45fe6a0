"""The backend of Music: temporary tokens for cars, and the catalogue that the SDK in a car reads with them (M-11)."""

import datetime
from typing import Any

from kit import clock
from sandbox import fields, people, state, wire, world
from sandbox.music import catalogue, records

NAME = "music-backend"
LONGEST_TTL_S = 3600


class NewToken(fields.Strict):
    """`POST /v1/temporary-tokens`; `id` is the caller's."""

    id = fields.opaque(required=True)
    yandex_uid = fields.uid(required=True)
    order_id = fields.opaque(required=True)
    park_id = fields.opaque(required=True)
    driver_profile_id = fields.opaque(required=True)
    ttl_s = fields.Whole(least=1, required=True)


class OfPerson(fields.Strict):
    """`GET /_catalogue`: with a session the private playlist is in it."""

    session = fields.opaque()


async def issue(here: world.World, call: wire.Call) -> Any:
    """The token of this id: the same again, a conflict for another body, gone after it was revoked."""
    asked = dict(call.body)
    if asked["ttl_s"] > LONGEST_TTL_S:
        raise wire.Refused(400, "ttl_too_long")
    grants, grant_id = here.store.state.grants, asked["id"]
    grant = grants.get(grant_id)
    if grant is None:
        expires = clock.now() + datetime.timedelta(seconds=asked["ttl_s"])
        token = "tt." + state.fresh_id(48)
        grant = grants[grant_id] = records.Grant(grant_id, asked, token, clock.to_wire(expires))
        here.store.save()
    if grant.is_revoked:
        raise wire.Refused(410, "token_revoked")
    if grant.asked != asked:
        raise wire.Refused(409, "id_reused")
    return {"id": grant_id, "token": grant.token, "expires_at": grant.expires_at}


async def revoke(here: world.World, call: wire.Call) -> Any:
    """Ends a token; also one that was never asked for, which then never can be. Again is the same."""
    grants, grant_id = here.store.state.grants, call.path["grant_id"]
    grant = grants.get(grant_id)
    if grant is None:
        grant = grants[grant_id] = records.Grant(grant_id, {}, None, clock.to_wire(clock.now()))
    if not grant.is_revoked:
        grant.is_revoked = True
        here.store.save()
    return {}


async def item(here: world.World, call: wire.Call) -> Any:
    """An item for the holder of a temporary token."""
    scheme, _, token = call.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "oauth" or not token:
        raise wire.Refused(401, "token_missing", "The header Authorization: OAuth <token> is missing.")
    return read(here, token, call.path["type"], call.path["id"])


def read(here: world.World, token: str, kind: str, item_id: str) -> dict[str, Any]:
    """What the SDK gets: 401 for a token that is no longer good, 404 for what its person can't hear."""
    grant = _grant(here, token)
    found = here.music.find(kind, item_id, grant.asked["yandex_uid"])
    if found is None:
        raise wire.Refused(404, "item_not_found")
    return found.to_wire()


async def show_catalogue(here: world.World, call: wire.Call) -> Any:
    """All that there is to play, as the app would show it."""
    own = []
    if "session" in call.query:
        own = [here.music.own(people.by_session(here, call.query["session"]).yandex_uid)]
    return {"items": [one.to_wire() for one in (*own, *here.music.public())]}


async def show_tokens(here: world.World, call: wire.Call) -> Any:
    """Every grant without its token."""
    shown = ("grant_id", "expires_at", "is_revoked")
    kept = here.store.state.grants.values()
    return {"grants": [{**grant.asked, **{name: getattr(grant, name) for name in shown}} for grant in kept]}


def _grant(here: world.World, token: str) -> records.Grant:
    grants = here.store.state.grants.values()
    grant = next((one for one in grants if one.token == token), None)
    if grant is None:
        raise wire.Refused(401, "token_unknown")
    if grant.is_revoked:
        raise wire.Refused(401, "token_revoked")
    if grant.expires_at <= clock.to_wire(clock.now()):
        raise wire.Refused(401, "token_expired")
    return grant


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/music-backend",
    refusal=(403, "licence_required"),
    routes=(
        wire.Route("POST", "/v1/temporary-tokens", issue, body=NewToken(), callers=("music",)),
        wire.Route("DELETE", "/v1/temporary-tokens/{grant_id}", revoke, callers=("music",)),
        wire.Route("GET", f"/v1/items/{{type:{'|'.join(catalogue.TYPES)}}}/{{id}}", item),
        wire.Route("GET", "/_catalogue", show_catalogue, query=OfPerson()),
        wire.Route("GET", "/_tokens", show_tokens),
    ),
)
