import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, export
from opentelemetry.sdk.trace.export import in_memory_span_exporter

from kit import scope, trace
from testkit.neighbours import Neighbours

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_reads_a_good_header() -> None:
    assert trace.parse(GOOD) == trace.Parent(TRACE, SPAN, True)
    assert trace.parse(GOOD[:-2] + "00") == trace.Parent(TRACE, SPAN, False)


def test_reads_a_later_version() -> None:
    assert trace.parse(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") == trace.Parent(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        GOOD.upper(),
        f" {GOOD}",
        f"{GOOD}-more",
        f"{GOOD}\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-zz",
        f"01-{TRACE}-{SPAN}-01-" + "x" * 300,
    ],
)
def test_refuses_a_bad_header_and_begins_anew(header: str | None) -> None:
    assert trace.parse(header) is None
    begun = trace.parse(trace.continued(header))
    assert begun is not None
    assert begun.trace_id != TRACE
    assert not begun.is_sampled


@given(st.text(max_size=80))
def test_survives_any_header(header: str) -> None:
    assert trace.parse(trace.continued(header)) is not None


def test_continues_and_makes_children_of_the_same_trace() -> None:
    assert trace.continued(GOOD) == GOOD
    child = trace.parse(trace.child(GOOD))
    assert child is not None
    assert (child.trace_id, child.is_sampled) == (TRACE, True)
    assert child.span_id != SPAN


def test_sends_a_child_of_the_scope_on() -> None:
    with scope.entered(scope.Scope("x", traceparent=GOOD)):
        sent = trace.parse(trace.outgoing())
    assert sent is not None
    assert sent.trace_id == TRACE
    assert sent.span_id != SPAN
    assert trace.parse(trace.outgoing()) is not None


def test_does_not_load_the_sdk_until_it_is_configured() -> None:
    code = (
        "import sys\nfrom kit import trace\nwith trace.span('x', n=1): pass\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


Spans = in_memory_span_exporter.InMemorySpanExporter


@pytest.fixture
def spans() -> Iterator[Spans]:
    kept = Spans()
    trace.use("maas", export.SimpleSpanProcessor(kept), 0.0)
    yield kept
    trace.close()


def _named(spans: Spans, name: str) -> ReadableSpan:
    (found,) = (span for span in spans.get_finished_spans() if span.name == name)
    return found


def test_exports_what_the_parent_sampled(spans: Spans) -> None:
    with (
        scope.entered(scope.Scope("x", traceparent=GOOD)),
        trace.span("http.server", route="/x"),
        trace.span("db.query"),
    ):
        sent = trace.parse(trace.outgoing())
    server, query = _named(spans, "http.server"), _named(spans, "db.query")
    assert server.parent is not None
    assert query.parent is not None
    assert server.context is not None
    assert (f"{server.context.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, SPAN)
    assert query.parent.span_id == server.context.span_id
    assert query.context is not None
    assert sent == trace.Parent(TRACE, f"{query.context.span_id:016x}", True)
    assert dict(server.attributes or {}) == {"route": "/x"}
    assert server.resource.attributes["service.name"] == "maas"


def test_exports_nothing_that_the_parent_did_not_sample(spans: Spans) -> None:
    with scope.entered(scope.Scope("x", traceparent=GOOD[:-2] + "00")), trace.span("db.query"):
        pass
    with scope.entered(scope.Scope("x", traceparent=trace.new())), trace.span("db.query"):
        pass
    assert spans.get_finished_spans() == ()


def test_samples_new_traces_at_the_ratio(spans: Spans) -> None:
    trace.use("maas", export.SimpleSpanProcessor(spans), 1.0)
    begun = trace.parse(trace.new())
    assert begun is not None
    assert begun.is_sampled


def test_tells_of_a_failure_by_its_class_alone(spans: Spans) -> None:
    with (
        pytest.raises(ValueError, match="hunter2"),
        scope.entered(scope.Scope("x", traceparent=GOOD)),
        trace.span("db.query"),
    ):
        raise ValueError("hunter2")
    failed = _named(spans, "db.query")
    assert failed.status.description == "ValueError"
    assert "hunter2" not in failed.to_json()


def test_goes_quiet_when_closed(spans: Spans) -> None:
    trace.close()
    trace.close()
    with trace.span("db.query"):
        pass
    assert spans.get_finished_spans() == ()


async def test_sends_spans_to_a_collector(neighbours: Neighbours) -> None:
    collected = neighbours.otel.on("POST", "/v1/traces", b"", headers={"Content-Type": "application/x-protobuf"})
    trace.configure("maas", f"{neighbours.otel.url}/v1/traces", 1.0)
    with trace.span("db.query"):
        pass
    await asyncio.to_thread(trace.close)
    (call,) = collected.calls
    assert b"db.query" in call.body
    assert b"maas" in call.body
