import asyncio
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit import errors, logs, scope

Lines = Callable[[], list[dict[str, Any]]]

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtYWFzIn0.c2lnbmF0dXJl"


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.root.handlers[:], logging.root.level
    file = io.BytesIO()
    logs.setup("maas", "INFO", file)
    try:
        yield lambda: [json.loads(line) for line in file.getvalue().splitlines()]
    finally:
        logging.captureWarnings(False)
        logs._open("INFO", None)
        logging.root.handlers[:], logging.root.level = root


def test_writes_one_json_line(lines: Lines) -> None:
    logs.info("started", port=8103)
    (line,) = lines()
    assert line.pop("ts").endswith("+00:00")
    assert line == {"level": "info", "service": "maas", "event": "started", "port": 8103}


def test_says_which_request_it_is_about(lines: Lines) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with scope.entered(scope.Scope("/maas/v1/x", request_id="r-1", traceparent=parent)):
        logs.info("seen")
    (line,) = lines()
    assert (line["request_id"], line["trace_id"], line["operation"]) == ("r-1", "a" * 32, "/maas/v1/x")


def test_drops_a_field_that_is_not_allowed(lines: Lines) -> None:
    logs.info("seen", status=200, phone="+79161234567", api_key="k")
    (line,) = lines()
    assert line["status"] == 200
    assert line["dropped_fields"] == ["phone", "api_key"]
    assert "9161234567" not in json.dumps(line)


def test_takes_a_field_that_a_service_allows(lines: Lines) -> None:
    logs.allow("pass_id_of_test")
    logs.info("seen", pass_id_of_test="p-1")
    assert lines()[0]["pass_id_of_test"] == "p-1"


def test_does_not_let_a_field_replace_its_own(lines: Lines) -> None:
    logs.allow("service", "level")
    logs.info("seen", service="forged", level="forged")
    assert (lines()[0]["service"], lines()[0]["level"]) == ("maas", "info")


def test_writes_nothing_below_its_level(lines: Lines) -> None:
    logs.debug("seen")
    logging.getLogger("some.package").debug("seen")
    assert lines() == []


@pytest.mark.parametrize(
    "text",
    [
        "tel +79161234567.",
        "8 (916) 123-45-67",
        "7-916-123-45-67",
        "/users/89161234567/x",
        "phone=79161234567",
        "phone=%2B79161234567",
        "+7 916 1234567",
        "+441632960961",
    ],
)
def test_masks_phones(text: str) -> None:
    shown = logs.masked(text)
    assert "<phone>" in shown
    assert not any(part in shown for part in ("916", "1632"))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T09:00:00.123456+00:00",
        "3c3b1f70-1234-4a1b-9c1b-712345678901",
        "took 0.79161234567 s",
        "a79161234567b00000000000000000000",
        "4000712345678901",
        "order 12345678901",
        "GET /maas/v1/x HTTP/1.1 200 1700000000 1700000000123",
        "Подписка активна",
    ],
)
def test_leaves_other_numbers_and_texts(text: str) -> None:
    assert logs.masked(text) == text


def test_masks_tickets_and_passwords() -> None:
    shown = logs.masked(f"ticket {JWT} for postgresql://app:hunter2@db:5432/maas and password=hunter3 next")
    assert shown == "ticket <jwt> for postgresql://<userinfo>@db:5432/maas and password=<password> next"


@given(st.integers(min_value=0, max_value=9_999_999_999), st.text(max_size=20), st.text(max_size=20))
def test_never_shows_a_whole_russian_phone(number: int, before: str, after: str) -> None:
    phone = f"+7{number:010}"
    assert phone not in logs.masked(f"{before} {phone} {after}")


def test_masks_inside_of_values(lines: Lines) -> None:
    logs.info("seen", reason=["+79161234567", {"x": JWT}], count=79161234567, name=b"bytes")
    (line,) = lines()
    assert line["reason"] == ["<phone>", {"x": "<jwt>"}]
    assert line["count"] == "<phone>"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
def test_writes_whatever_value_as_json(value: Any) -> None:
    file = io.BytesIO()
    logs._open("INFO", file)
    try:
        logs.info("seen", reason=value)
    finally:
        logs._open("INFO", None)
    assert json.loads(file.getvalue())["event"] == "seen"
    assert file.getvalue().count(b"\n") == 1


def test_cuts_long_texts(lines: Lines) -> None:
    logs.info("seen", message="x" * 100_000)
    assert len(lines()[0]["message"]) < 5000


def test_shows_an_exception_without_its_message_and_locals(lines: Lines) -> None:
    def fail() -> None:
        secret = "hunter2"
        raise ValueError(f"bad password {secret}")

    try:
        fail()
    except ValueError:
        logs.exception("failed")
    (line,) = lines()
    shown = line["exception"]
    assert line["level"] == "error"
    assert shown["class"] == "builtins.ValueError"
    assert [frame.rsplit(":", 1)[1] for frame in shown["frames"]] == [
        "test_shows_an_exception_without_its_message_and_locals",
        "fail",
    ]
    assert "hunter2" not in json.dumps(line)


def test_shows_what_a_refusal_says(lines: Lines) -> None:
    class PassGone(errors.Gone):
        """It is over."""

    try:
        try:
            raise KeyError("hunter2")
        except KeyError as cause:
            raise PassGone(pass_id="p-1") from cause
    except PassGone as gone:
        logs.error("failed", exc_info=gone)
    shown = lines()[0]["exception"]
    assert (shown["code"], shown["details"]) == ("pass_gone", {"pass_id": "p-1"})
    assert shown["cause"]["class"] == "builtins.KeyError"
    assert "hunter2" not in json.dumps(shown)


def test_shows_the_parts_of_a_group(lines: Lines) -> None:
    logs.exception("failed", ExceptionGroup("both", [ValueError("x"), OSError("y")]))
    assert [part["class"] for part in lines()[0]["exception"]["group"]] == ["builtins.ValueError", "builtins.OSError"]


def test_bounds_a_deep_exception(lines: Lines) -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError
        dive(depth - 1)

    try:
        dive(200)
    except ValueError:
        logs.exception("failed")
    assert len(lines()[0]["exception"]["frames"]) == 21


def test_takes_over_the_logs_of_libraries(lines: Lines) -> None:
    logging.getLogger("aio_pika.robust").warning("lost %s after %d s: %r", "amqp://u:p@h/", 5, OSError("+79161234567"))
    (line,) = lines()
    assert line["event"] == "stdlib_log"
    assert (line["level"], line["logger"]) == ("warning", "aio_pika.robust")
    assert line["message"] == "lost amqp://<userinfo>@h/ after 5 s: 'OSError'"


def test_takes_over_warnings(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert "careful" in lines()[0]["message"]


def test_survives_a_broken_record(lines: Lines) -> None:
    (ours,) = (handler for handler in logging.root.handlers if type(handler).__module__ == "kit.logs")
    ours.handle(logging.LogRecord("bad", logging.WARNING, "", 1, "%d", ("not a number",), None))
    assert lines()[0]["event"] == "stdlib_log_broken"


async def test_tells_of_a_failed_task_without_its_message(lines: Lines) -> None:
    async def fail() -> None:
        raise ValueError("hunter2")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
    )
    (line,) = lines()
    assert line["message"] == "Task exception was never retrieved"
    assert line["exception"]["class"] == "builtins.ValueError"
    assert "hunter2" not in json.dumps(line)


@given(text=st.text(st.sampled_from("0178aAzZ+éеٱ ²"), max_size=14))
@example("79161234567")
@example("é79161234567")
@settings(max_examples=300, deadline=None, database=None)
def test_the_short_way_of_masking_finds_what_the_long_one_finds(text: str) -> None:
    assert logs.masked(text) == logs._secrets.sub(logs._mask, text)
