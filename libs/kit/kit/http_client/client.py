"""The client that every neighbour's own client extends."""

import asyncio
import random
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import aiohttp
import marshmallow as ma
import orjson

from kit import failpoints, logs, metrics, scope, tickets, trace
from kit.http_client import budget, failures, wire
from kit.http_client import qos as quality
from kit.http_client.operation import Operation
from kit.http_client.request import Refusals, Request

MAX_ANSWER_BYTES = 1 << 20
_FIRST_PAUSE_S = 0.05
_LONGEST_JITTER_S = 1.0
_LONGEST_PAUSE_S = 2.0
_LEAST_S = 0.001
# Refused by ourselves before sending: asking again at once would get the same.
_UNSENT = frozenset({"breaker_open", "too_many_in_flight", "deadline", "ticket"})
_OUT_OF_TIME = frozenset({"timeout", "connect_timeout"})

_in_flight = metrics.gauge("client_in_flight", "Calls to neighbours under way", ("neighbour",))


class Answer(ma.Schema):
    """The parent of schemas of neighbours' answers: what we don't know in them is ignored."""

    class Meta:
        unknown = ma.EXCLUDE


class Ticket(Protocol):
    """Where our own service ticket comes from: `kit.tickets.Source`."""

    def header(self) -> str:
        """The ticket to send now."""


def quoted(segment: str) -> str:
    """A value as one segment of a path."""
    return urllib.parse.quote(segment, safe="")


class Client:
    """One neighbour. `base_url` may have a path; `qos` is asked at each call, so that it changes without a restart."""

    name: ClassVar[str]

    def __init__(
        self,
        base_url: str,
        *,
        ticket: Ticket | None,
        qos: Callable[[], Mapping[str, quality.Qos]],
        max_in_flight: int = 128,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._ticket = ticket
        self._qos = qos
        self._max_in_flight = max_in_flight
        self._max_answer_bytes = max_answer_bytes
        self._in_flight = 0
        self._in_flight_gauge = _in_flight.labels(self.name)
        self._budget = budget.Budget()
        self._operations: dict[str, Operation] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Opens the pool of connections; connects to nobody."""
        if self._session is None:
            self._session = wire.opened(self._max_in_flight)

    async def close(self) -> None:
        """Closes the connections; calls under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        is_idempotent: bool,
        answer: ma.Schema | None,
        body: Any = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        refusals: Refusals | None = None,
        changes: bool | None = None,
    ) -> Any:
        """The answer as `answer` loads it; None without a schema, and for 304 when `If-None-Match` was sent.

        `changes` says whether the neighbour changes something that others see (by default all but GET): after such a
        call nothing may be answered 503 any more. `refusals` are classes by the neighbour's code; a 4xx with another
        code is NeighbourRefused. Only an idempotent call is ever sent again.
        """
        text = urllib.parse.urlencode({key: value for key, value in (query or {}).items() if value is not None})
        request = self._request(method, path, text, operation, is_idempotent, changes)
        request.headers.update(headers or {})
        if body is not None:
            request.body = orjson.dumps(body)
            request.headers["Content-Type"] = "application/json"
        request.refusals = refusals or {}
        request.read = lambda raw: None if answer is None or raw.status == 304 else wire.loaded(raw, answer)
        return await self._exchange(request)

    async def _pass(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        is_idempotent: bool,
        body: bytes | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        changes: bool | None = None,
    ) -> wire.Raw:
        """Forwards bytes and gives the answer back as it came, whatever its status (a redirect is garbage).

        `query` is already encoded; repeats, limits and failures of the exchange itself are those of `_call`.
        """
        request = self._request(method, path, query, operation, is_idempotent, changes)
        request.headers.update(headers or {})
        request.body = body
        try:
            answered: wire.Raw = await self._exchange(request)
        except failures.Failure as failure:
            if failure.raw is None or isinstance(failure, failures.NeighbourGarbage):
                raise
            answered = failure.raw
        return answered

    def _request(
        self, method: str, path: str, query: str, operation: str, is_idempotent: bool, changes: bool | None
    ) -> Request:
        known = self._operations.get(operation)
        if known is None:
            known = self._operations[operation] = Operation(self.name, operation)
        url = f"{self._base_url}{path}?{query}" if query else self._base_url + path
        return Request(method, url, known, is_idempotent, method != "GET" if changes is None else changes, {})

    async def _exchange(self, request: Request) -> Any:
        rule = quality.chosen(self._qos(), self.name, request.operation.key)
        attempts = min(rule.attempts, quality.MOST_ATTEMPTS) if request.is_idempotent else 1
        self._budget.note_call()
        attempt = 1
        with trace.span(request.operation.span_name):
            while True:
                try:
                    return await self._attempt(request, rule.timeout_ms / 1000)
                except failures.Failure as failure:
                    if attempt >= attempts or not await self._paused(request, failure, attempt):
                        raise self._told(request, failure, attempt) from failure.__cause__
                attempt += 1

    async def _paused(self, request: Request, failure: failures.Failure, attempt: int) -> bool:
        """Waits before the next attempt; False when there may be none."""
        if not failure.is_repeatable or failure.details["reason"] in _UNSENT:
            return False
        pause_s = random.uniform(0, min(_LONGEST_JITTER_S, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311
        pause_s = max(pause_s, failure.details.get("retry_after_s", 0))
        if pause_s + _LEAST_S >= scope.remaining_s(_LONGEST_PAUSE_S) or not self._budget.take():
            return False
        request.operation.retries.inc()
        await asyncio.sleep(pause_s)
        return True

    def _told(self, request: Request, failure: failures.Failure, attempt: int) -> failures.Failure:
        """The failure as the caller sees it: "nothing was done" must be true of all attempts, not of the last alone."""
        if isinstance(failure, failures.NeighbourUnavailable) and request.is_uncertain:
            raw = failure.raw
            failure = request.failure(failures.NeighbourFailed, str(failure.details["reason"]))
            failure.raw = raw
        if failure.details["reason"] not in _UNSENT and not isinstance(failure, failures.NeighbourRefused):
            # A line's own `operation` is the route or task at hand, so the neighbour's is called `call`.
            details = {name: value for name, value in failure.details.items() if name != "operation"}
            logs.warning(
                "neighbour_failed", attempt=attempt, outcome=failure.outcome, call=request.operation.name, **details
            )
        return failure

    async def _attempt(self, request: Request, wanted_s: float) -> Any:
        operation = request.operation
        timeout_s = min(wanted_s, scope.remaining_s(wanted_s))
        headers, token = self._admitted(request, timeout_s)
        outcome, is_proof = "cancelled", False
        started = time.perf_counter()
        self._in_flight += 1
        self._in_flight_gauge.set(self._in_flight)
        try:
            answered = await self._sent(request, headers, timeout_s)
            outcome, is_proof = "ok", True
            return answered
        except failures.Failure as failure:
            outcome = failure.outcome
            # Who was given less time than the rule says proves nothing by not answering in it.
            is_proof = timeout_s >= wanted_s or failure.details["reason"] not in _OUT_OF_TIME
            raise
        finally:
            self._in_flight -= 1
            self._in_flight_gauge.set(self._in_flight)
            operation.finish(token, outcome, time.perf_counter() - started, is_proof=is_proof)
            request.note(outcome)

    def _admitted(self, request: Request, timeout_s: float) -> tuple[dict[str, str], int]:
        """The headers to send and the breaker's token; the refusals here are the only ones before anything is sent."""
        if timeout_s < _LEAST_S:
            raise self._unsent(failures.NeighbourTimeout, request, "deadline")
        if self._in_flight >= self._max_in_flight:
            raise self._unsent(failures.NeighbourUnavailable, request, "too_many_in_flight")
        try:
            headers = self._headers(request, timeout_s)
        except OSError:
            logs.exception("ticket_unreadable")
            raise self._unsent(failures.NeighbourUnavailable, request, "ticket") from None
        token = request.operation.breaker.admit()
        if token is None:
            raise self._unsent(failures.NeighbourUnavailable, request, "breaker_open")
        return headers, token

    def _unsent(self, kind: type[failures.Failure], request: Request, reason: str) -> failures.Failure:
        request.operation.count(reason)
        return request.failure(kind, reason)

    def _headers(self, request: Request, timeout_s: float) -> dict[str, str]:
        headers = dict(request.headers)
        if self._ticket is not None:
            headers[tickets.HEADER] = self._ticket.header()
        headers["X-YaTaxi-Client-TimeoutMs"] = str(int(timeout_s * 1000))
        headers["traceparent"] = trace.outgoing()
        if (here := scope.current()) is not None and here.request_id:
            headers["X-YaRequestId"] = here.request_id
        return headers

    async def _sent(self, request: Request, headers: dict[str, str], timeout_s: float) -> Any:
        if (session := self._session) is None:
            raise RuntimeError(f"the client of {self.name} is not started")
        where = request.operation.where
        failpoints.reach(where, "before_call")
        try:
            raw = await wire.fetch(
                session,
                request.method,
                request.url,
                headers=headers,
                body=request.body,
                timeout_s=timeout_s,
                limit=self._max_answer_bytes,
            )
            failpoints.reach(where, "after_call")
            request.judge(raw)
            return request.read(raw)
        except failures.Trouble as trouble:
            raise request.failed(trouble) from trouble.__cause__
