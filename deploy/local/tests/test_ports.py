import contextlib
import socket
from collections.abc import Iterator

import pytest

from local_stack import failures, ports, services
from testkit.servers import processes

TABLE = services.SERVICES


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def claims() -> Iterator[ports.Claims]:
    with contextlib.closing(ports.Claims()) as found:
        yield found


def test_gives_every_part_a_port_of_its_own(claims: ports.Claims) -> None:
    chosen = ports.choose(TABLE, {}, claims)
    assert set(chosen) == set(ports.defaults(TABLE))
    assert len(set(chosen.values())) == len(chosen)


def test_takes_the_next_free_port_when_a_default_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch, claims: ports.Claims
) -> None:
    monkeypatch.setattr(services, "SANDBOX_PORT", taken)
    assert taken < ports.choose(TABLE, {}, claims)["sandbox"] < taken + 1000


def test_takes_the_port_that_was_asked_for(claims: ports.Claims) -> None:
    free = next(port for port in range(28000, 29000) if port not in ports.defaults(TABLE).values())
    assert ports.choose(TABLE, {"maas.monitor": free}, claims)["maas.monitor"] == free


def test_refuses_an_asked_port_that_is_taken(taken: int, claims: ports.Claims) -> None:
    with pytest.raises(
        failures.PortTaken, match=f"^port {taken} was asked for maas, but another process or stack has it$"
    ):
        ports.choose(TABLE, {"maas": taken}, claims)


def test_refuses_a_name_that_is_no_part(claims: ports.Claims) -> None:
    with pytest.raises(failures.StackFailed, match="no port named mass; the names are postgres, "):
        ports.choose(TABLE, {"mass": 9000}, claims)


@pytest.mark.parametrize("word", ["maas", "maas=", "maas=x", "maas=0", "maas=65536", "=", "maas=-1"])
def test_refuses_a_port_that_is_no_number(word: str) -> None:
    with pytest.raises(failures.StackFailed, match="NAME=NUMBER"):
        ports.parse([word])


def test_reads_ports_by_name() -> None:
    assert ports.parse(["maas=9000", "maas.monitor=9001"]) == {"maas": 9000, "maas.monitor": 9001}


def test_services_share_no_port() -> None:
    numbers = list(ports.defaults(TABLE).values())
    assert len(set(numbers)) == len(numbers)


def test_services_call_only_what_the_table_has() -> None:
    names = {service.name for service in TABLE}
    assert {called for service in TABLE for called in service.services} <= names


def test_claims_the_ports_of_a_service_that_is_called_and_not_there(claims: ports.Claims) -> None:
    caller = services.Service(name="caller", api_port=28301, monitor_port=28302, services=("plus",))
    assert [service.name for service in services.with_called([caller])] == ["caller", "plus"]
    chosen = ports.choose(services.with_called([caller]), {}, claims)
    with contextlib.closing(ports.Claims()) as other:
        assert not other.take(chosen["plus"])


def test_names_a_called_service_once() -> None:
    assert [service.name for service in services.with_called(TABLE)] == [service.name for service in TABLE]


def test_runs_only_services_whose_package_is_there() -> None:
    absent = services.Service(name="no-such-service", api_port=1, monitor_port=2)
    without_main = services.Service(name="kit", api_port=1, monitor_port=2)
    maas = next(service for service in TABLE if service.name == "maas")
    assert services.present([absent, without_main, maas]) == [maas]


def test_gives_each_replica_ports_of_its_own(claims: ports.Claims) -> None:
    chosen = ports.choose(TABLE, {}, claims)
    first, second = (ports.of_replica(TABLE[0], name, claims) for name in ("one", "two"))
    assert set(first) == {"one", "one.monitor"}
    numbers = [*chosen.values(), *first.values(), *second.values()]
    assert len(set(numbers)) == len(numbers)


def test_keeps_a_port_while_nothing_listens_there(claims: ports.Claims) -> None:
    port = processes.free_port()
    assert claims.take(port)
    with contextlib.closing(ports.Claims()) as other:
        assert not other.take(port)
        claims.close()
        assert other.take(port)
