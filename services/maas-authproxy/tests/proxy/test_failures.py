"""maas is ill, and partners are told how."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from maas_authproxy import app

NEW = "/maas-authproxy/v1"
RESERVE, INFO = f"{NEW}/subscription/reserve", f"{NEW}/subscription/info"
READS = [("GET", f"{INFO}?pass_id=p", None), ("POST", INFO, {"pass_id": "p"})]
ASKING = ("POST", f"{NEW}/available-tariffs/user", {"maas_user_id": "u"})
WRITE = ("POST", RESERVE, {"pass_id": "p"})


@pytest.mark.parametrize(("method", "path", "body"), [*READS, WRITE])
async def test_says_503_when_maas_is_not_there(
    make_database: Callable[..., Any], start: Any, method: str, path: str, body: Any
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with make_database(app.SERVICE.streams) as dsn, start(dsn, maas_url=url) as edge:
            answer = await edge.ask(method, path, body)
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert answer.headers["X-Should-Retry"] == "true"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "details" not in answer.body


@pytest.mark.parametrize(("method", "path", "body"), [*READS, WRITE])
async def test_says_504_when_maas_is_silent(edge: Any, method: str, path: str, body: Any) -> None:
    edge.maas.fail("silent")
    edge.partners.set(CLIENT_QOS={"maas": {"timeout_ms": 100, "attempts": 2}})
    await edge.reload()
    answer = await edge.ask(method, path, body)
    assert (answer.status, answer.code) == (504, "service_timeout")
    assert len(edge.maas.calls()) == (1 if (method, path, body) == WRITE else 2)


async def test_says_504_when_the_partners_time_is_over(edge: Any) -> None:
    edge.maas.fail("silent")
    for path, body in ((RESERVE, {"pass_id": "p"}), (INFO, {"pass_id": "p"})):
        answer = await edge.ask("POST", path, body, headers={"X-YaTaxi-Client-TimeoutMs": "100"})
        assert answer.status == 504
        assert answer.code in ("service_timeout", "deadline_exceeded")


async def test_never_sends_a_write_twice(edge: Any) -> None:
    edge.maas.fail("reset")
    answer = await edge.ask(*WRITE)
    assert (answer.status, answer.code) == (502, "service_failed")
    assert len(edge.maas.calls()) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_passes_the_failure_of_a_write_at_once(edge: Any, status: int) -> None:
    edge.maas.on("POST", "/maas/v1/subscription/reserve", {"code": "some"}, status=status)
    answer = await edge.ask(*WRITE)
    assert (answer.status, answer.body) == (status, {"code": "some"})
    assert len(edge.maas.calls()) == 1


@pytest.mark.parametrize(("method", "path", "body"), [*READS, ASKING])
async def test_sends_a_read_once_more(edge: Any, method: str, path: str, body: Any) -> None:
    edge.maas.on(method, "/{rest}", answer={"found": True})
    edge.maas.fail("reset", times=1)
    answer = await edge.ask(method, path, body)
    assert (answer.status, answer.body) == (200, {"found": True})
    assert len(edge.maas.calls()) == 2


@pytest.mark.parametrize(("method", "path", "body"), READS)
async def test_says_503_for_a_read_that_failed_twice(edge: Any, method: str, path: str, body: Any) -> None:
    edge.maas.fail("reset")
    assert (await edge.ask(method, path, body)).status == 503
    assert len(edge.maas.calls()) == 2


GARBAGE: list[tuple[bytes, dict[str, str]]] = [
    (b"<html>oops</html>", {"Content-Type": "text/html"}),
    (b"<html>oops</html>", {}),
    (b'{"cut": ', {}),
    (b"", {}),
    (b"[" * 100_000, {}),
    (b'{"price": NaN}', {}),
    (b'{"ok": true}', {"Content-Type": "text/plain"}),
]


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_says_502_for_garbage(edge: Any, status: int) -> None:
    for raw, headers in GARBAGE:
        edge.maas.on("*", "/{rest}", raw, status=status, headers=headers)
        for method, path, body in (READS[0], WRITE):
            answer = await edge.ask(method, path, body)
            assert (answer.status, answer.code) == (502, "service_failed"), (raw[:40], method)
            assert "oops" not in str(answer.body)


async def test_says_502_for_a_redirect_and_follows_none(edge: Any) -> None:
    edge.maas.on("*", "/{rest}", {}, status=302, headers={"Location": "http://169.254.169.254/"})
    answer = await edge.ask(*WRITE)
    assert (answer.status, answer.code) == (502, "service_failed")
    assert "Location" not in answer.headers
    assert len(edge.maas.calls()) == 1


async def test_says_502_for_a_write_whose_answer_was_cut(edge: Any) -> None:
    edge.maas.fail("truncated")
    assert (await edge.ask(*WRITE)).status == 502
    assert len(edge.maas.calls()) == 1
