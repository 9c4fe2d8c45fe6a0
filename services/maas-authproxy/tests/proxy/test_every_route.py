"""Every line of the table against what a stranger may send with a good key: identities, other spellings of paths."""

from collections.abc import Iterator
from typing import Any

import pytest

from maas_authproxy.proxy import model

from .. import wire

IDENTITY = (
    "X-Yandex-UID: 40019999999999999999",
    "X-YaTaxi-UserId: someone",
    "X-YaTaxi-PhoneId: someone",
    "X-YaTaxi-User: personal_phone_id=someone",
    "X-YaTaxi-Pass-Flags: portal",
    "X-YaTaxi-Bound-Uids: 40019999999999999999",
    "X-YaTaxi-Park-Id: park",
    "X-YaTaxi-Driver-Profile-Id: driver",
    "X-Ya-Service-Ticket: forged",
    "X-Ya-User-Ticket: forged",
    "X-Maas-Partner: somebody-else",
    "X-Remote-IP: 10.0.0.1",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Host: inside",
    "X-Forwarded-Proto: https",
    "Forwarded: for=10.0.0.1",
    "Authorization: Bearer x",
    "Cookie: a=b",
)
# Those of RFC 9110 and its forebears, and others that Connection names: ours must survive, theirs must not arrive.
HOP_BY_HOP = (
    "Connection: keep-alive, X-Maas-Partner, X-Ya-Service-Ticket, X-Secret, Content-Type, Host, traceparent",
    "X-Secret: of this hop",
    "Keep-Alive: timeout=1",
    "Proxy-Connection: keep-alive",
    "Proxy-Authenticate: Basic",
    "Proxy-Authorization: Basic x",
    "TE: trailers",
    "Trailer: X-Yandex-UID",
)
WAYS = [(method, way) for way in model.TABLE for method in way.methods]


@pytest.fixture(autouse=True)
async def everything_is_open(edge: Any) -> None:
    """maas answers everything, and the old names are served."""
    edge.maas.on("*", "/{rest}", answer={"ok": True})
    edge.partners.set(MAAS_AUTHPROXY_OLD_PATHS=True)
    await edge.reload()


async def test_passes_no_identity_and_nothing_of_one_hop(edge: Any) -> None:
    for method, way in WAYS:
        for lines in (IDENTITY, HOP_BY_HOP, tuple(line.lower() for line in IDENTITY)):
            status, _ = await wire.sent(edge, wire.request(edge, method, way.path, *lines))
            assert status == 200, (method, way.path)
            call = edge.maas.calls()[-1]
            assert (call.method, call.path) == (method, way.upstream)
            assert {name.lower() for name in call.headers} <= wire.ALLOWED
            assert call.headers["X-Maas-Partner"] == "vtb"
            assert call.headers["X-Ya-Service-Ticket"].startswith("eyJ")
            told = " ".join(call.headers.values())
            assert not any(
                word in told for word in ("forged", "someone", "40019999999999999999", "10.0.0.1", "of this hop")
            )


async def test_refuses_identities_with_underscores(edge: Any) -> None:
    for method, way in WAYS:
        for line in ("X_Yandex_UID: 4001", "X-Ya_Service-Ticket: forged", "X_Maas_Partner: another"):
            status, body = await wire.sent(edge, wire.request(edge, method, way.path, line))
            assert (status, body["code"]) == (400, "request_malformed"), (method, way.path, line)
    assert edge.maas.calls() == []


async def test_takes_no_token_that_connection_names(edge: Any) -> None:
    for method, way in WAYS:
        lines = ("X-Idempotency-Token: t", "Connection: keep-alive, x-idempotency-token")
        status, body = await wire.sent(edge, wire.request(edge, method, way.path, *lines))
        assert (status, body["code"]) == (400, "request_invalid"), (method, way.path)
    assert edge.maas.calls() == []


def _spellings(path: str) -> Iterator[str]:
    """What a careless server would take for `path`."""
    first, _, rest = path[1:].partition("/")
    parent, _, last = path.rpartition("/")
    yield from (f"{path}/", f"{path}//", f"{path}/.", f"{path}/x/..", f"{path}/%2e%2e/{last}", f"{path};a=b")
    yield from (f"{path}%00", f"{path}%20", f"{path}%2f", f"{path}.json", f"{path}%3Fpass_id=p", f"{path}#a")
    yield from (f"/{path}", f"//host{path}", f"/{first}//{rest}", f"/./{first}/{rest}", f"/x/../{first}/{rest}")
    yield from (f"/%2e/{first}/{rest}", f"/x/%2E%2E/{first}/{rest}", f"/{first}/%2e%2e/{first}/{rest}")
    yield from (f"{parent}%2F{last}", f"{parent}%5C{last}", f"{parent}\\{last}", f"{parent}/;/{last}")
    yield from (f"{parent}/%{ord(last[0]):02x}{last[1:]}", f"{parent}/%25{ord(last[0]):02x}{last[1:]}")
    yield from (path.upper(), f"/{first.title()}/{rest}", f"{parent}/{last.title()}", path[1:])
    yield from (f"http://edge{path}", f"http://evil.example{path}", f"https://user@edge{path}", f"@edge{path}")


async def test_knows_a_path_by_its_bytes_alone(edge: Any) -> None:
    for method, way in WAYS:
        for target in _spellings(way.path):
            status, body = await wire.sent(edge, wire.request(edge, method, target))
            assert (status, body["code"]) in {(404, "route_unknown"), (400, "request_malformed")}, (method, target)
        assert edge.maas.calls() == [], way.path
