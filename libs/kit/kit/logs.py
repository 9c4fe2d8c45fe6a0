"""Log lines: JSON to stdout, one event a line, with an allowlist of fields.

    logs.allow("pass_id")
    logs.info("subscription_reserved", pass_id=pass_id)

A field that was not allowed is dropped and named in `dropped_fields`. Phones, tickets and passwords do not belong in
fields; where one slips into a text, it is masked. Exceptions are written as class and frames: the message of
somebody else's exception may quote a phone or a password, so only our own refusals show theirs.
"""

import datetime
import io
import logging
import pathlib
import re
import sys
import traceback
import types
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import orjson
import structlog

from kit import errors, scope, trace

_FRAMES = 20
_LINKS = 5
_TEXT = 4096
_ITEMS = 100
_DEPTH = 6

_allowed: set[str] = set()
_service = "-"

_secrets = re.compile(
    r"(?P<phone>(?:\+|%2B)[1-9](?:[ \-()]*\d){9,14}(?!\d)|(?<![\dA-Za-z.])[78](?:[ \-()]*\d){10}(?![\dA-Za-z]))"
    r"|(?P<jwt>eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?)"
    r"|(?P<userinfo>(?<=://)[^/@\s]+(?=@))"
    r"|(?P<password>(?<=password=)[^\s&]+)",
    re.ASCII | re.IGNORECASE,
)

_PHONE_DIGITS = 11
_suspicious = re.compile(r"[\d.=@]", re.ASCII)  # every secret has one of these; four times cheaper to look for


def allow(*fields: str) -> None:
    """Lets lines carry these fields."""
    _allowed.update(fields)


# What kit itself and almost every service say.
_COMMON = (
    "api_port attempt cache call caller code count dropped duration_ms error fields kind logger message method "
    "monitor_port ms name neighbour outcome path port queue reason refusal retry_after_s route state status step task "
    "version where word"
)
allow(*_COMMON.split())


def setup(service: str, level: str = "INFO", file: BinaryIO | None = None) -> None:
    """Names the service and the lowest level written, takes over stdlib logging, writes to `file` or stdout."""
    global _service
    _service = service
    _open(level, file)
    handler = _StdlibHandler()
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level.upper())
    # A served request is counted and logged by kit.web; the framework's own line would be a second one.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def debug(event: str, /, **fields: Any) -> None:
    """Writes one line about `event`, a constant in lower_snake, when the level allows."""
    _logger.debug(event, **fields)


def info(event: str, /, **fields: Any) -> None:
    """Writes one line about `event`, a constant in lower_snake."""
    _logger.info(event, **fields)


def warning(event: str, /, **fields: Any) -> None:
    """Writes one line about something that somebody should look at in daylight."""
    _logger.warning(event, **fields)


def error(event: str, /, **fields: Any) -> None:
    """Writes one line about something that is broken; `exc_info=` takes an exception."""
    _logger.error(event, **fields)


def exception(event: str, /, exc: BaseException | None = None, **fields: Any) -> None:
    """Writes an error with the exception at hand (or `exc`): its class and frames, never locals or foreign messages."""
    _logger.error(event, exc_info=exc or True, **fields)


class _Stdout(io.RawIOBase):
    """Whatever stdout is at the moment of writing."""

    def write(self, line: Any) -> int:
        return sys.stdout.buffer.write(line)

    def flush(self) -> None:
        sys.stdout.buffer.flush()


def _render(logger: Any, method: str, fields: Any) -> bytes:
    line: dict[str, Any] = {
        "ts": datetime.datetime.now(datetime.UTC),
        "level": method,
        "service": _service,
        "event": masked(fields.pop("event")),
    }
    if (current := scope.current()) is not None:
        line["request_id"] = masked(current.request_id)
        line["trace_id"] = trace.of(current)[3:35]
        line["operation"] = current.operation
    if fields:
        _add(line, fields)
    return orjson.dumps(line, default=_unknown, option=orjson.OPT_NON_STR_KEYS)


def _add(line: dict[str, Any], fields: dict[str, Any]) -> None:
    raised = fields.pop("exc_info", None)
    dropped: list[str] = []
    for name, value in fields.items():
        if name not in _allowed:
            dropped.append(name)
        elif name not in line:
            line[name] = _clean(value)
    if dropped:
        line["dropped_fields"] = dropped
    if raised and (shown := _exception_of(raised)) is not None:
        line["exception"] = render_exception(shown)


def masked(text: str) -> str:
    """The text without phones, JWTs and passwords, and not longer than 4096 characters."""
    if len(text) > _TEXT:
        text = text[:_TEXT] + "…"
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    elif text.isalnum() and len(text) != _PHONE_DIGITS:
        return text  # most are ids, and of plain letters and digits a phone alone can be made, a whole one
    return _secrets.sub(_mask, text) if _suspicious.search(text) else text


def _mask(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"


def _clean(value: Any, depth: int = 0) -> Any:
    kind = type(value)
    if kind is str:
        return masked(value)
    if kind is int:
        return "<phone>" if 70_000_000_000 <= value < 90_000_000_000 else value if abs(value) < 1 << 63 else str(value)
    if value is None or kind is bool or kind is float:
        return value
    if depth >= _DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {masked(str(key)): _clean(item, depth + 1) for key, item in list(value.items())[:_ITEMS]}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item, depth + 1) for item in list(value)[:_ITEMS]]
    return _of_other_type(value)


def _of_other_type(value: Any) -> Any:
    if isinstance(value, BaseException):
        return render_exception(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, type):
        return value.__name__
    return masked(str(value))


def _unknown(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _exception_of(raised: Any) -> BaseException | None:
    if isinstance(raised, BaseException):
        return raised
    if isinstance(raised, tuple):
        return raised[1] if isinstance(raised[1], BaseException) else None
    return sys.exc_info()[1]


def render_exception(raised: BaseException, links: int = _LINKS) -> dict[str, Any]:
    """The class, the frames as `file:line:function`, and the causes; a refusal also shows its code and details."""
    kind = type(raised)
    shown: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}", "frames": _frames(raised.__traceback__)}
    if isinstance(raised, errors.Refusal):
        shown["code"] = raised.code
        shown["details"] = _clean(raised.details, 1)
    if links > 0:
        cause = raised.__cause__ or (None if raised.__suppress_context__ else raised.__context__)
        if cause is not None:
            shown["cause"] = render_exception(cause, links - 1)
        if isinstance(raised, BaseExceptionGroup):
            shown["group"] = [render_exception(part, links - 1) for part in raised.exceptions[:_LINKS]]
    return shown


def _frames(trace: types.TracebackType | None) -> list[str]:
    frames = [
        f"{'/'.join(pathlib.PurePath(frame.f_code.co_filename).parts[-3:])}:{line}:{frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return frames if len(frames) <= _FRAMES else [*frames[: _FRAMES // 2], "…", *frames[-_FRAMES // 2 :]]


class _StdlibHandler(logging.Handler):
    """Turns the records of libraries into lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write = _LEVELS.get(record.levelname, _logger.warning)
            write("stdlib_log", logger=record.name, message=_message(record), exc_info=record.exc_info)
        except Exception:  # a line about a line would go round in circles
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        _logger.error("stdlib_log_broken", logger=record.name)


def _message(record: logging.LogRecord) -> str:
    text = str(record.msg)
    if record.args:
        text %= tuple(_safe_args(record.args)) if isinstance(record.args, tuple) else record.args
    # asyncio writes the repr of the failed task, with the exception's message in it, on the lines after the first.
    return text.partition("\n")[0] if record.name == "asyncio" else text


def _safe_args(args: Iterable[Any]) -> Iterable[Any]:
    for arg in args:
        yield type(arg).__name__ if isinstance(arg, BaseException) else arg


def _open(level: str, file: BinaryIO | None) -> None:
    global _logger, _LEVELS
    _logger = structlog.wrap_logger(
        structlog.BytesLoggerFactory(file or _Stdout())(),  # type: ignore[arg-type]
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    ).bind()
    _LEVELS = {"DEBUG": _logger.debug, "INFO": _logger.info, "WARNING": _logger.warning}
    _LEVELS |= {"ERROR": _logger.error, "CRITICAL": _logger.critical}


_logger: Any
_LEVELS: dict[str, Any]
_open("INFO", None)
