"""The gateway of the app: it knows who a session belongs to, says so in headers and passes the request on.

Whatever identity the app itself claims is dropped: only the headers named here go on.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sandbox import callers, languages, people, state, wire, world

NAME = "passenger-authorizer"
OWNERS = (
    ("/4.0/maas/", "maas"),
    ("/4.0/music/", "music"),
    ("/4.0/coop_account", "shared-payments"),
    ("/4.0/plus/", "plus"),
)
_UP = ("Content-Type", "X-Idempotency-Token", "X-YaRequestId", "X-YaTaxi-Client-TimeoutMs", "traceparent")
_DOWN = ("Content-Type", "Retry-After", "X-YaRequestId", "X-Should-Retry", "ETag")
_FAILURES = {502: "bad_service", 503: "service_unavailable", 504: "service_timeout"}


async def forward(here: world.World, call: wire.Call) -> Any:
    """Authorises and forwards to the service that owns the path; its answer comes back as it is."""
    person = people.of_app(here, call.headers)
    path = call.raw.rel_url.raw_path.removeprefix(NEIGHBOUR.prefix)
    query = call.raw.rel_url.raw_query_string
    try:
        answer = await here.services.forward(
            NAME,
            _owner(path),
            call.raw.method,
            f"{path}?{query}" if query else path,
            _headers(here, person, call),
            call.body,
        )
    except callers.NoAnswer as failure:
        raise wire.Refused(failure.status, _FAILURES[failure.status]) from None
    headers = {name: answer.headers[name] for name in _DOWN if name in answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _owner(path: str) -> str:
    if "%2e" not in path.lower() and "/.." not in path:
        for prefix, service in OWNERS:
            if path.startswith(prefix):
                return service
    raise wire.Refused(404, "not_found", "No service owns this path.")


def _headers(here: world.World, person: state.Person, call: wire.Call) -> Mapping[str, str]:
    bound = [one.yandex_uid for one in people.with_phone_id(here, person.phone_id) if one is not person]
    identity = {
        "X-Yandex-UID": person.yandex_uid,
        "X-YaTaxi-UserId": person.user_id,
        "X-YaTaxi-PhoneId": person.phone_id,
        "X-YaTaxi-User": f"personal_phone_id={person.personal_phone_id}",
        "X-YaTaxi-Pass-Flags": person.uid_kind,
        "X-YaTaxi-Bound-Uids": ",".join(bound),
        "X-Remote-IP": call.raw.remote or "127.0.0.1",
        "X-Request-Language": languages.of(call.headers),
        "X-Request-Application": call.headers.get("X-Request-Application", "app_name=iphone"),
    }
    passed = {name: call.headers[name] for name in _UP if name in call.headers}
    return {**passed, **identity, "Accept-Encoding": "identity"}


NEIGHBOUR = wire.Neighbour(
    name=NAME,
    prefix="/passenger",
    refusal=(401, "unauthorized"),
    routes=(wire.Route("*", "/{tail:.*}", forward, is_proxy=True),),
)
