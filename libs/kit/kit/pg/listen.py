"""LISTEN on a connection of its own, which heals by itself."""

import asyncio
import contextlib
import inspect
import random
from collections.abc import Awaitable, Callable, Mapping

import psycopg2

from kit import logs, metrics
from kit.pg import faults, link, session

BACKOFF_S = (0.05, 1.0)
ANSWER_LIMIT_S = 2.0
CLOSE_S = 2.0

_connected = metrics.gauge("pg_listener_connected", "1 while notifications can arrive.", ("listener",))

Told = Callable[[], Awaitable[None] | None]


class Listener:
    """Calls `channels[channel](payload)` for each notification.

    `on_connect` is called each time that listening has begun, and whatever was missed before must be read then;
    `on_lost` when the connection is gone. A connection that died silently is noticed within `ping_s` + 3 s.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        channels: Mapping[str, Callable[[str], None]],
        on_connect: Told | None = None,
        on_lost: Told | None = None,
        *,
        ping_s: float = 5.0,
    ) -> None:
        settings = {"statement_timeout": 2000, "client_connection_check_interval": 500}
        self._wanted = session.parameters(dsn, application_name=f"{name}:listen", settings=settings)
        self._name = name
        self._channels = dict(channels)
        self._on_connect = on_connect
        self._on_lost = on_lost
        self._ping_s = ping_s
        self._task: asyncio.Task[None] | None = None
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether a notification sent now would arrive, as far as is known."""
        return self._is_connected

    async def start(self) -> None:
        """Begins in the background; a dead server is no failure."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"pg listen {self._name}")

    async def close(self) -> None:
        """Stops within 2 s; nothing is called afterwards."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=CLOSE_S)
        self._note(False)

    async def _run(self) -> None:
        pause_s = BACKOFF_S[0]
        while True:
            try:
                opened = await link.Link.open(self._wanted, ANSWER_LIMIT_S)
            except Exception as error:
                logs.warning(
                    "pg_connect_failed", name=self._name, reason=type(error).__name__, message=str(error).strip()
                )
            else:
                if await self._listen(opened):
                    pause_s = BACKOFF_S[0]
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
            pause_s = min(pause_s * 2, BACKOFF_S[1])

    async def _listen(self, opened: link.Link) -> bool:
        """Stays until the connection is lost; True when it had come as far as listening."""
        lost = asyncio.Event()
        opened.on_closed = lost.set
        opened.on_notify = self._hear
        try:
            await opened.execute("; ".join(f"LISTEN {_quoted(channel)}" for channel in self._channels))
            self._note(True)
            await self._tell(self._on_connect)
            await self._watch(opened, lost)
        except (faults.ConnectionLost, psycopg2.Error) as error:
            logs.warning("pg_listen_lost", name=self._name, reason=type(error).__name__)
        finally:
            opened.on_closed = opened.on_notify = None
            opened.drop()
            was_connected = self._is_connected
            self._note(False)
        if was_connected:
            await self._tell(self._on_lost)
        return was_connected

    async def _watch(self, opened: link.Link, lost: asyncio.Event) -> None:
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ping_s):
                    await lost.wait()
                    return
            await opened.execute("SELECT 1")

    def _hear(self, channel: str, payload: str) -> None:
        callback = self._channels.get(channel)
        if callback is None:
            return
        try:
            callback(payload)
        except Exception as error:
            logs.exception("pg_notification_failed", exc=error, name=self._name)

    async def _tell(self, told: Told | None) -> None:
        if told is None:
            return
        try:
            answer = told()
            if inspect.isawaitable(answer):
                await answer
        except Exception as error:
            logs.exception("pg_listener_callback_failed", exc=error, name=self._name)

    def _note(self, is_connected: bool) -> None:
        self._is_connected = is_connected
        _connected.labels(self._name).set(int(is_connected))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
