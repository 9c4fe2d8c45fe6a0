import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack import failures, ports, services

TABLE = services.SERVICES


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_gives_every_part_a_port_of_its_own() -> None:
    chosen = ports.choose(TABLE, {})
    assert set(chosen) == set(ports.defaults(TABLE))
    assert len(set(chosen.values())) == len(chosen)


def test_takes_the_next_free_port_when_a_default_is_taken(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SANDBOX_PORT", taken)
    assert taken < ports.choose(TABLE, {})["sandbox"] < taken + 1000


def test_takes_the_port_that_was_asked_for() -> None:
    free = next(port for port in range(28000, 29000) if port not in ports.defaults(TABLE).values())
    assert ports.choose(TABLE, {"maas.monitor": free})["maas.monitor"] == free


def test_refuses_an_asked_port_that_is_taken(taken: int) -> None:
    with pytest.raises(failures.PortTaken, match=f"^port {taken} was asked for maas, but something listens on it$"):
        ports.choose(TABLE, {"maas": taken})


def test_refuses_a_name_that_is_no_part() -> None:
    with pytest.raises(failures.StackFailed, match="no port named mass; the names are postgres, "):
        ports.choose(TABLE, {"mass": 9000})


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


def test_keeps_other_stacks_from_starting_at_the_same_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ports.alone():
        [lock] = tmp_path.iterdir()
        other = os.open(lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
