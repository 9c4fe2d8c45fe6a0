"""The live stack as a journey sees it: who can ask what, how a step is told, and what must stay unseen."""

import asyncio
import contextlib
import html
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PATIENCE_S = 60.0
_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_NOT_NOW = frozenset({429, 500, 502, 503, 504})


class StepFailed(Exception):
    """A step of a journey did not go as it must."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    etag: str | None = None

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class World:
    """A running stack, as `stack.json` describes it."""

    stack: Mapping[str, Any]
    http: aiohttp.ClientSession
    out: Callable[[str], None] = print
    secrets: set[str] = field(default_factory=set)
    steps: int = 0
    # What a long answer comes to, by a part of the path that it is asked by; see `tell_in_short`.
    digests: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stack: Mapping[str, Any], out: Callable[[str], None] = print) -> AsyncIterator["World"]:
        """The world of a running stack, described as in its `stack.json`."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
            # One call is one request: by itself aiohttp sends a GET again when its connection was dropped.
            http._retry_connection = False
            world = cls(stack, http, out)
            world.secrets |= {*stack["api_keys"].values(), *stack["tickets"].values()}
            yield world

    def url(self, service: str, kind: str = "api") -> str:
        """The base URL of a service, or of the sandbox."""
        if service == "sandbox":
            return str(self.stack["sandbox"]["api"])
        return str(self.stack["services"][service][kind])

    async def partner(
        self, method: str, path: str, body: Any = None, *, key: str | None = "vtb", patient: bool = True
    ) -> Answer:
        """A call of the bank through the public edge; `key` names a key of the stack, or None for none."""
        headers = {} if key is None else {"X-API-Key": self.stack["api_keys"].get(key, key)}
        return await self.ask(
            method, self.url("maas-authproxy") + "/maas-authproxy/v1" + path, body, headers, patient=patient
        )

    async def passenger(self, session: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A call of a person's app through the authorising gateway."""
        sent = {"Authorization": f"Bearer {session}", "X-Request-Language": "ru", **headers}
        return await self.ask(method, self.url("sandbox") + "/passenger" + path, body, sent)

    async def caller(self, name: str, service: str, path: str) -> Answer:
        """What another service of ours is told when it asks `service`."""
        headers = {"X-Ya-Service-Ticket": self.stack["tickets"][name]}
        return await self.ask("GET", self.url(service) + path, None, headers)

    async def sandbox(self, method: str, path: str, body: Any = None) -> Answer:
        """A call to the world around the services."""
        return await self.ask(method, self.url("sandbox") + path, body, {})

    async def ask(
        self, method: str, url: str, body: Any, headers: Mapping[str, str], *, patient: bool = True
    ) -> Answer:
        """Asks, as a good client does: whatever did not surely happen is asked again, for a minute at the most."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                async with self.http.request(method, url, json=body, headers=headers) as response:
                    raw = await response.read()
                    answer = Answer(response.status, json.loads(raw) if raw else None, response.headers.get("ETag"))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                answer = Answer(0, type(error).__name__)
            self.keep_secret(*_secrets_of(answer.body))
            if not patient or answer.status not in (0, *_NOT_NOW) or time.monotonic() > until:
                self._tell(f"{method} {url.partition('//')[2].partition('/')[2]}", body, answer)
                return answer
            await asyncio.sleep(0.2)

    async def ordered(self, order: Mapping[str, Any]) -> Answer:
        """Orders a ride, and again when the promo code could not be checked, as a person would (MA-93)."""
        for _ in range(20):
            answer = await self.sandbox("POST", "/processing/orders", order)
            if answer.status != 409 or answer.body.get("refused") != "check_unavailable":
                return answer
            await asyncio.sleep(0.5)
        raise StepFailed("the promo code could not be checked for a long time")

    async def eventually(self, ask: Callable[[], Awaitable[Answer]], wanted: Callable[[Any], bool]) -> Answer:
        """Asks until the answer is 200 with a wanted body, and tells only that one; StepFailed after a minute."""
        return await self.until(ask, lambda answer: answer.status == 200 and wanted(answer.body))

    async def until(self, ask: Callable[[], Awaitable[Answer]], wanted: Callable[[Answer], bool]) -> Answer:
        """Asks until the answer is the wanted one, and tells only that one; StepFailed after a minute."""
        until = time.monotonic() + PATIENCE_S
        out, told = self.out, list[str]()
        while True:
            told.clear()
            self.out = told.append
            try:
                answer = await ask()
            finally:
                self.out = out
            if wanted(answer):
                for line in told:
                    out(self._masked(line))
                return answer
            if time.monotonic() > until:
                raise StepFailed(f"waited {PATIENCE_S:.0f} s, the last answer was {answer}")
            await asyncio.sleep(0.1)

    async def page(self, url: str, form: Mapping[str, str] | None = None) -> str:
        """The HTML that a person sees at `url`, or after sending a form there; StepFailed without one."""
        method = "GET" if form is None else "POST"
        async with self.http.request(method, url, data=form, headers={"Accept-Language": "ru"}) as response:
            text = await response.text()
        self._tell(
            f"{method} {url.partition('//')[2].partition('/')[2]}", form, Answer(response.status, _heading(text))
        )
        if response.status != 200 or response.content_type != "text/html":
            raise StepFailed(f"expected a page, got {response.status} {response.content_type}")
        return text

    async def metric(self, service: str, name: str, **labels: str) -> list[float]:
        """The values of a metric as the service shows it now, of the series that have these labels."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        async with self.http.get(self.url(service, "monitor") + "/metrics") as response:
            found = _SERIES.findall(await response.text())
        return [float(value) for each, shown, value in found if each == name and wanted <= {*shown.split(",")}]

    async def is_ringing(self, service: str) -> bool:
        """True while the service is connected to RabbitMQ."""
        links = await self.metric(service, "stq_broker_connected")
        return bool(links) and all(links)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step, told with its title, its calls and its time."""
        self.steps += 1
        self.out(f"\n  {self.steps:2}. {title}")
        started = time.monotonic()
        yield
        self.out(f"      ok, {(time.monotonic() - started) * 1000:.0f} ms")

    def keep_secret(self, *values: str | None) -> None:
        """Never shows these, here or, so the tests make sure, in any log."""
        self.secrets |= {value for value in values if value}

    def tell_in_short(self, path: str, digest: Callable[[Any], Any]) -> None:
        """From now on, of what is answered at this path with 200, only what `digest` makes of it is told."""
        self.digests[path] = digest

    def _tell(self, asked: str, body: Any, answer: Answer) -> None:
        self.out(self._masked(f"      → {asked} {_short(body) if body is not None else ''}".rstrip()))
        digest = next((digest for path, digest in self.digests.items() if path in asked), None)
        if answer.status == 200 and digest is not None:
            self.out(self._masked(f"      ← 200, in short: {_short(digest(answer.body))}"))
        else:
            self.out(
                self._masked(
                    f"      ← {answer.status} {_short(answer.body) if answer.body is not None else ''}".rstrip()
                )
            )

    def _masked(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _secrets_of(body: Any) -> list[str]:
    named = body if isinstance(body, dict) else {}
    return [named[name] for name in ("session", "promocode", "token", "user_token") if isinstance(named.get(name), str)]


def _heading(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return html.unescape(found.group(1)) if found else ""


def _short(body: Any) -> str:
    text = json.dumps(body, ensure_ascii=False)
    return text if len(text) <= 500 else text[:497] + "..."


def expect(answer: Answer, status: int, code: str | None = None, /, **fields: Any) -> Any:
    """The body of an answer that is as it must be; StepFailed otherwise."""
    found = {} if not isinstance(answer.body, dict) else {name: answer.body.get(name) for name in fields}
    if answer.status != status or answer.code != code or found != fields:
        raise StepFailed(f"expected {status} {code or ''} {fields or ''}, got {answer.status} {answer.body}")
    return answer.body


def complain(message: str) -> None:
    """One line on the error stream."""
    print(message, file=sys.stderr)
