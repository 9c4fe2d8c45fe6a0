"""Where partners may come from, and whose word is believed for it."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from kit import config as settings
from maas_authproxy import app, config
from maas_authproxy.keys import model

from .. import makers

INFO = "/maas-authproxy/v1/subscription/info?pass_id=p"
PROXIES = ("127.0.0.0/8", "10.0.0.0/8", "fd00::/8")
TRUSTED = tuple(ipaddress.ip_network(text) for text in PROXIES)

# The peer, what it says, and where the request comes from.
HOPS = [
    ("192.0.2.1", None, "192.0.2.1"),
    ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
    ("10.0.0.1", None, "10.0.0.1"),
    ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
    ("10.0.0.1", " 198.51.100.7 ,10.0.0.2 , 127.0.0.1", "198.51.100.7"),
    ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
    ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
    ("fd00::1", "2001:db8::7", "2001:db8::7"),
    ("10.0.0.1", "unknown", None),
    ("10.0.0.1", "198.51.100.7, ", None),
    ("10.0.0.1", "", None),
    ("10.0.0.1", "198.51.100.7, 198.51.100.8:4711", None),
    ("10.0.0.1", "198.51.100.007", None),
    ("10.0.0.1", "1" * 5000, None),
    ("", None, None),
]


@pytest.mark.parametrize(("peer", "forwarded", "found"), HOPS)
def test_believes_trusted_proxies_and_nobody_left_of_a_stranger(peer: str, forwarded: str | None, found: str) -> None:
    client = model.client_of(peer, forwarded, TRUSTED)
    assert (None if client is None else str(client)) == found


def test_believes_nobody_when_nobody_is_trusted() -> None:
    assert str(model.client_of("127.0.0.1", "198.51.100.7", ())) == "127.0.0.1"


@pytest.fixture
async def behind(make_database: Callable[..., Any], start: Any) -> Any:
    """The edge behind a proxy on this machine, with a partner who comes from 198.51.100.0/24 alone."""
    async with make_database(app.SERVICE.streams) as dsn, start(dsn, trusted_proxies=PROXIES) as edge:
        edge.maas.on("*", "/{rest}", answer={"ok": True})
        edge.partners.entries[0]["networks"] = ["198.51.100.0/24", "2001:db8:7::/48"]
        edge.partners.write()
        await edge.reload()
        yield edge


FROM = [
    ("198.51.100.7", 200),
    ("203.0.113.9, 198.51.100.7", 200),
    ("2001:db8:7::1", 200),
    ("198.51.101.7", 403),
    ("198.51.100.7, 203.0.113.9", 403),
    ("2001:db8:8::1", 403),
    ("127.0.0.1", 403),
    ("garbage", 403),
    (None, 403),
]


async def test_lets_a_partner_in_from_its_networks_alone(behind: Any) -> None:
    for forwarded, status in FROM:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        answer = await behind.ask("GET", INFO, headers=headers)
        assert answer.status == status, forwarded
        assert answer.code == (None if status == 200 else "address_not_allowed")
    assert len(behind.maas.calls()) == 3
    entries = await behind.trail(len(FROM))
    assert [entry["status"] for entry in entries] == [status for _, status in FROM]
    assert {(entry["partner"], entry["key_id"]) for entry in entries} == {("vtb", behind.key.partition(".")[0])}


async def test_asks_nobody_else_where_they_come_from(behind: Any) -> None:
    free = behind.partners.add("metro")
    await behind.reload()
    assert (await behind.ask("GET", INFO, key=free, headers={"X-Forwarded-For": "203.0.113.9"})).status == 200


async def test_a_stolen_key_takes_nothing_of_the_partners_rate(behind: Any) -> None:
    behind.partners.entries[0]["limits"] = {"per_second": 0.001, "burst": 2}
    behind.partners.set(MAAS_AUTHPROXY_FAILURES={"per_second": 0.001, "burst": 3})
    await behind.reload()
    thief = {"X-Forwarded-For": "203.0.113.9"}
    assert [(await behind.ask("GET", INFO, headers=thief)).status for _ in range(5)] == [403, 403, 403, 429, 429]
    owner = {"X-Forwarded-For": "198.51.100.7"}
    assert [(await behind.ask("GET", INFO, headers=owner)).status for _ in range(3)] == [200, 200, 429]


async def test_believes_no_stranger(edge: Any) -> None:
    edge.maas.on("*", "/{rest}", answer={"ok": True})
    edge.partners.entries[0]["networks"] = ["198.51.100.0/24"]
    edge.partners.write()
    await edge.reload()
    assert (await edge.ask("GET", INFO, headers={"X-Forwarded-For": "198.51.100.7"})).status == 403
    edge.partners.entries[0]["networks"] = ["127.0.0.1"]
    edge.partners.write()
    await edge.reload()
    assert (await edge.ask("GET", INFO, headers={"X-Forwarded-For": "198.51.100.7"})).status == 200


NO_NETWORKS: list[Any] = [[], None, ["10.0.0.1/8"], ["localhost"], [1], ["0.0.0.0/33"], "10.0.0.0/8"]


async def test_networks_that_make_no_sense_change_nothing(edge: Any) -> None:
    for networks in NO_NETWORKS:
        edge.partners.entries[0]["networks"] = networks
        edge.partners.write()
        assert not await edge.live.context.dynamic.refresh(), networks
    edge.maas.on("*", "/{rest}", answer={})
    assert (await edge.ask("GET", INFO)).status == 200


def test_proxies_that_are_no_networks_are_no_settings() -> None:
    fields: Any = dict.fromkeys(("database_dsn", "rabbitmq_url", "ticket_file", "jwks_file", "dynamic_config"), "")
    secret = settings.Secret(makers.SECRET)
    with pytest.raises(ValueError, match="trusted_proxies"):
        config.Config(key_secret=secret, maas_url="", api_port=1, monitor_port=2, trusted_proxies=("all",), **fields)
