"""Traces: W3C `traceparent` always, OpenTelemetry spans only after `configure`.

The ids of a trace reach logs, tasks and neighbours whether or not anything is exported; the SDK is not even imported
until somebody asks for spans.
"""

import contextlib
import random
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from kit import scope

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_CANONICAL = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", re.ASCII)
_LONGEST = 256
_random = random.Random()  # noqa: S311


@dataclass(frozen=True, slots=True)
class Parent:
    """A parsed `traceparent`."""

    trace_id: str
    span_id: str
    is_sampled: bool

    def to_wire(self) -> str:
        """Version 00 of the header."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def parse(header: str | None) -> Parent | None:
    """The parent that a `traceparent` header names; None for anything that the W3C text calls invalid."""
    if header is None or len(header) > _LONGEST or not (found := _FORM.fullmatch(header)):
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & 1))


def continued(header: str | None) -> str:
    """The incoming `traceparent` in canonical form, or a new trace when there is none or it is invalid."""
    return taken(header) or new()


def taken(header: str | None) -> str | None:
    """The incoming `traceparent` in canonical form; None when there is none, or it is invalid."""
    if header is None or _CANONICAL.fullmatch(header):  # almost all that come are canonical, and this is cheap
        return header
    parent = parse(header)
    return None if parent is None else parent.to_wire()


def of(here: scope.Scope) -> str:
    """The `traceparent` of a request or task; one that came without begins a trace when it is first asked for."""
    if here.traceparent is None:
        here.traceparent = new()
    return here.traceparent


def new() -> str:
    """The `traceparent` of a new trace, sampled at the configured ratio (never when nothing is exported)."""
    trace_id = random_id(16)
    is_sampled = _exporter is not None and int(trace_id[16:], 16) < _exporter.ratio * (1 << 64)
    return Parent(trace_id, random_id(8), is_sampled).to_wire()


def child(header: str | None) -> str:
    """A `traceparent` of the same trace with a span id of its own; a new trace when there is no valid parent."""
    parent = parse(header)
    return new() if parent is None else Parent(parent.trace_id, random_id(8), parent.is_sampled).to_wire()


def outgoing() -> str:
    """The `traceparent` to send on: of the running span, else a child of the scope's."""
    if _exporter is not None and (header := _exporter.current()) is not None:
        return header
    here = scope.current()
    return child(None if here is None else of(here))


def random_id(size: int) -> str:
    """`size` random bytes as hex, never all zero: unique, but no secret (asking the system costs ten times more)."""
    return f"{_random.getrandbits(8 * size) or 1:0{2 * size}x}"


class _Exporter(Protocol):
    ratio: float

    def current(self) -> str | None: ...
    def span(self, name: str, attributes: dict[str, Any]) -> AbstractContextManager[None]: ...
    def close(self) -> None: ...


_exporter: _Exporter | None = None
_NOTHING = contextlib.nullcontext()


def span(name: str, **attributes: str | int | float | bool) -> AbstractContextManager[None]:
    """A span around the body of the with statement; nothing at all until `configure` is called.

    Names are constants (`db.query`, `http.client coupons/generate`), attributes hold no ids of people.
    """
    return _NOTHING if _exporter is None else _exporter.span(name, attributes)


def configure(service: str, endpoint: str, ratio: float) -> None:
    """Sends spans to `endpoint` (OTLP over HTTP, `http://collector:4318/v1/traces`): what a parent sampled, and `ratio`
    (0..1) of the rest.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import export

    use(service, export.BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)), ratio)


def use(service: str, processor: Any, ratio: float) -> None:
    """Gives spans to an OpenTelemetry span processor; what `configure` and tests share."""
    global _exporter
    close()
    _exporter = _opened(service, processor, ratio)


def close() -> None:
    """Sends what is left, at most 5 s, and goes quiet. Blocks, so it is called on a thread or at the very end."""
    global _exporter
    exporter, _exporter = _exporter, None
    if exporter is not None:
        exporter.close()


def _opened(service: str, processor: Any, ratio: float) -> _Exporter:
    from opentelemetry import trace as api
    from opentelemetry.sdk import resources
    from opentelemetry.sdk import trace as sdk
    from opentelemetry.sdk.trace import sampling

    provider = sdk.TracerProvider(
        sampler=sampling.ParentBased(sampling.TraceIdRatioBased(ratio)),
        resource=resources.Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("kit")

    class Exporter:
        def __init__(self) -> None:
            self.ratio = ratio

        def current(self) -> str | None:
            context = api.get_current_span().get_span_context()
            if not context.is_valid:
                return None
            return Parent(f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags.sampled).to_wire()

        @contextlib.contextmanager
        def span(self, name: str, attributes: dict[str, Any]) -> Iterator[None]:
            # Foreign exceptions may quote secrets, so a span tells only that it failed and with which class.
            with tracer.start_as_current_span(
                name, self._parent(), attributes=attributes, record_exception=False, set_status_on_exception=False
            ) as live:
                try:
                    yield
                except BaseException as raised:
                    live.set_status(api.Status(api.StatusCode.ERROR, type(raised).__name__))
                    raise

        def _parent(self) -> Any:
            here = scope.current()
            if api.get_current_span().get_span_context().is_valid or here is None:
                return None
            parent = parse(of(here))
            assert parent is not None
            flags = api.TraceFlags(api.TraceFlags.SAMPLED if parent.is_sampled else api.TraceFlags.DEFAULT)
            context = api.SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, flags)
            return api.set_span_in_context(api.NonRecordingSpan(context))

        def close(self) -> None:
            provider.force_flush(5000)
            provider.shutdown()

    return Exporter()
