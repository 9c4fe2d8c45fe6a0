"""Who is let in, and who is not."""

import datetime
import hashlib
from typing import Any

import pytest

from kit import clock, metrics

from .. import makers

RESERVE = "/maas-authproxy/v1/subscription/reserve"
INFO = "/maas-authproxy/v1/subscription/info?pass_id=p"
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def answers(edge: Any) -> None:
    """maas answers everything."""
    edge.maas.on("*", "/{rest}", answer={"ok": True})


def _bad_keys(edge: Any) -> dict[str, str | None]:
    key_id, _, rest = edge.key.partition(".")
    return {
        "missing": None,
        "malformed": "no-point-in-it",
        "spaces": " ",
        "unknown": "nobody-00000000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "another random": f"{key_id}.{rest[:-1]}" + ("A" if rest[-1] != "A" else "B"),
        "shortened": edge.key[:-1],
        "lengthened": edge.key + "A",
        "key id alone": key_id + ".",
        "another case": edge.key.upper(),
        "hash as key": f"{key_id}." + hashlib.sha256(edge.key.encode()).hexdigest(),
        "not begun": edge.partners.add("vtb", not_before=clock.now() + DAY),
        "ended": edge.partners.add("vtb", not_after=clock.now() - DAY),
        "another secret": edge.partners.add("vtb", secret="another secret of the tests"),
        "long": "vtb." + "A" * 6000,
    }


async def test_refuses_every_bad_key_alike_and_before_maas(edge: Any) -> None:
    keys = _bad_keys(edge)
    await edge.reload()
    bodies = set()
    for what, key in keys.items():
        for method, path, body in (("POST", RESERVE, {"pass_id": "p"}), ("GET", INFO, None)):
            answer = await edge.ask(method, path, body, key=key)
            assert answer.status == 401, (what, answer)
            bodies.add(str(answer.body))
            assert set(answer.headers) == {
                "Content-Type",
                "X-Should-Retry",
                "X-YaRequestId",
                "Server",
                "Content-Length",
                "Date",
            }, what
    assert len(bodies) == 1
    assert "api_key_invalid" in bodies.pop()
    assert edge.maas.calls() == []


async def test_takes_a_key_in_its_header_alone(edge: Any) -> None:
    for headers in ({"Authorization": f"Bearer {edge.key}"}, {"Cookie": f"X-API-Key={edge.key}"}):
        assert (await edge.ask("GET", INFO, key=None, headers=headers)).status == 401
    assert (await edge.ask("GET", f"{INFO}&api_key={edge.key}", key=None)).status == 401
    assert edge.maas.calls() == []


async def test_does_not_take_a_service_ticket_for_a_key(edge: Any) -> None:
    assert (await edge.live.ask("maas-authproxy", "GET", INFO)).status == 401
    assert edge.maas.calls() == []


async def test_lets_both_keys_in_while_one_replaces_the_other(edge: Any) -> None:
    new = edge.partners.add("vtb", not_before=clock.now() - DAY, not_after=clock.now() + DAY)
    await edge.reload()
    for key in (edge.key, new):
        assert (await edge.ask("GET", INFO, key=key)).status == 200


async def test_follows_the_config_without_a_restart(edge: Any) -> None:
    new = edge.partners.add("metro")
    assert (await edge.ask("GET", INFO, key=new)).status == 401
    await edge.reload()
    assert (await edge.ask("GET", INFO, key=new)).status == 200
    edge.partners.entries[-1]["keys"].clear()
    edge.partners.write()
    await edge.reload()
    assert (await edge.ask("GET", INFO, key=new)).status == 401


async def test_lets_nobody_in_without_partners(edge: Any) -> None:
    edge.partners.entries.clear()
    edge.partners.write()
    await edge.reload()
    assert (await edge.ask("GET", INFO)).status == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda partners: partners.entries.append(partners.entries[0]),
        lambda partners: partners.entries[0]["keys"].append(partners.entries[0]["keys"][0]),
        lambda partners: partners.entries[0].update(scopes=["everything"]),
        lambda partners: partners.entries[0].pop("keys"),
        lambda partners: partners.entries[0]["keys"][0].update(hash="0" * 63),
        lambda partners: partners.entries[0]["keys"][0].update(not_after="tomorrow"),
        lambda partners: partners.entries[0]["keys"][0].update(
            not_before="2030-01-02T00:00:00+00:00", not_after="2030-01-01T00:00:00+00:00"
        ),
        lambda partners: partners.entries[0].update(partner="V T B"),
        lambda partners: partners.more.update(MAAS_AUTHPROXY_PARTNERS=None),
    ],
)
async def test_keeps_the_last_good_keys_when_the_config_is_broken(edge: Any, spoil: Any) -> None:
    refused = metrics.value("dynconf_reload_errors_total")
    spoil(edge.partners)
    edge.partners.write()
    await edge.reload()
    assert metrics.value("dynconf_reload_errors_total") == refused + 1
    assert (await edge.ask("GET", INFO)).status == 200


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("users", "POST", "/maas-authproxy/v1/users/create"),
        ("users", "POST", "/maas-authproxy/v1/user/register"),
        ("subscriptions", "POST", RESERVE),
        ("subscriptions", "GET", INFO),
        ("tariffs", "POST", "/maas-authproxy/v1/available-tariffs"),
        ("metro", "POST", "/maas-authproxy/v1/nearest-metro"),
        ("rides", "POST", "/maas-authproxy/v1/rides/metro"),
    ],
)
async def test_lets_a_partner_into_its_scopes_alone(edge: Any, scope: str, method: str, path: str) -> None:
    others = tuple(set(makers.ALL) - {scope})
    inside, outside = edge.partners.add("inside", (scope,)), edge.partners.add("outside", others)
    nowhere = edge.partners.add("nowhere", ())
    await edge.reload()
    body = None if method == "GET" else {"pass_id": "p"}
    assert (await edge.ask(method, path, body, key=inside)).status == 200
    for key in (outside, nowhere):
        answer = await edge.ask(method, path, body, key=key)
        assert (answer.status, answer.code) == (403, "scope_missing")
    assert len(edge.maas.calls()) == 1
