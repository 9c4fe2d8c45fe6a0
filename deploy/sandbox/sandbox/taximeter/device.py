"""A taximeter as a device: what survives its restarts, what can be wrong with it, and the ride that it serves now."""

import asyncio
import collections
import time
from dataclasses import dataclass
from typing import Any

from kit import clock, logs
from sandbox import callers, state, world
from sandbox.music import records
from sandbox.taximeter import commands, line, ride, speakers

HEARTBEAT_S = 15.0
WAIT_MS = 25_000
KEPT = 1_000
_KEPT_REFUSALS = 50


@dataclass(slots=True)
class Switches:
    """How this one differs from a good one; `wait_ms` 0 means no long polls, so that pushes are all it has."""

    loses_pushes: bool = False
    fail_next: str | None = None
    apply_delay_ms: int = 0
    heartbeat_s: float = HEARTBEAT_S
    wait_ms: int = WAIT_MS

    def take_failure(self) -> str | None:
        """The reason why the next command has to fail, once."""
        reason, self.fail_next = self.fail_next, None
        return reason


class Device:
    """The taximeter of one driver."""

    def __init__(self, here: world.World, driver: records.Driver) -> None:
        self.world = here
        self.driver = driver
        self.switches = Switches()
        self.line = line.Line(here, driver)
        self.pushes: collections.Counter[str] = collections.Counter()
        self.refusals: collections.deque[dict[str, Any]] = collections.deque(maxlen=_KEPT_REFUSALS)
        self.speakers = speakers.Speakers()
        self.ride: ride.Ride | None = None
        self._running: asyncio.Task[None] | None = None
        self._coming_back: asyncio.TimerHandle | None = None
        self.new_session()
        self._resume()

    def begin(self, order_id: str, player_ids: tuple[str, ...] = ()) -> None:
        """A new ride, also when it is of the same order: nothing of it is done yet."""
        driver = self.driver
        driver.order_id, driver.player_ids, driver.applied_seq = order_id, list(player_ids), 0
        driver.was_open = driver.is_over = False
        self.world.store.save()
        self.speakers.silence()
        self._resume()

    def restart(self) -> None:
        """The device is switched off and on: it is silent, a new session begins, and what was not kept is lost."""
        volume, self.speakers = self.speakers.volume, speakers.Speakers()
        if volume is None:
            self.speakers.volume = None
        self.new_session()
        self._resume()

    def stop(self) -> None:
        """Ends all that it does."""
        if self._running is not None:
            self._running.cancel()
        if self._coming_back is not None:
            self._coming_back.cancel()
        self._running = self._coming_back = None

    def new_session(self) -> None:
        """Reports are counted from 1 again, under another name."""
        self.device_session, self.report_seq = state.fresh_id(), 0

    def next_report(self) -> dict[str, Any]:
        """What numbers a report."""
        self.report_seq += 1
        return {"device_session": self.device_session, "report_seq": self.report_seq}

    def go_offline(self, for_s: float | None) -> None:
        """Nothing comes and goes any more, for so long or until `go_online`; the music plays on."""
        self.line.cut()
        if self._coming_back is not None:
            self._coming_back.cancel()
        self._coming_back = None
        if for_s is not None:
            self._coming_back = asyncio.get_running_loop().call_later(for_s, self.go_online)

    def go_online(self) -> None:
        """Back: it asks for commands and reports at once."""
        self.line.mend()
        self.look_again()

    def look_again(self) -> None:
        """Something changed about it."""
        if self.ride is not None:
            self.ride.look_again()

    def hear(self, payload: dict[str, Any]) -> str:
        """A push; says what became of it."""
        fate = self._fate()
        self.pushes[fate] += 1
        if fate != "delivered":
            return fate
        driver, order_id, player_id = self.driver, payload["order_id"], payload["player_id"]
        is_free = driver.order_id is None or driver.is_over
        if is_free and not (order_id == driver.order_id and player_id in driver.player_ids):
            self.begin(order_id, (player_id,))
        elif order_id == driver.order_id and player_id not in driver.player_ids:
            driver.player_ids.append(player_id)
        if self.ride is not None and self.ride.order_id == order_id:
            self.ride.hint(payload["up_to_seq"])
        return fate

    def opened(self) -> None:
        """Music has served this ride."""
        if not self.driver.was_open:
            self.driver.was_open = True
            self.world.store.save()

    def ride_ended(self) -> None:
        """The ride is over: the music stops at once."""
        self.speakers.silence()
        self.driver.is_over = True
        self.ride = None
        self.world.store.save()

    def never_opened(self, order_id: str) -> None:
        """The order ended; when music has never served it, nobody else will say so."""
        if self.driver.order_id == order_id and not self.driver.was_open:
            self.ride_ended()
            self.stop()

    def remember(self, order_id: str, command: commands.Command, result: dict[str, Any]) -> None:
        """A command was handled; it never will be again."""
        self.driver.applied_seq = command.seq
        self.driver.handled.append(
            {"order_id": order_id, "command_id": command.command_id, "action": command.action, "args": command.args}
            | {"received_at": command.received_at, "via": command.via, "handled_at": clock.to_wire(clock.now())}
            | result
        )
        del self.driver.handled[:-KEPT]
        self.world.store.save()

    def refused(self, via: str, reply: callers.Reply) -> None:
        """Music said no."""
        at = clock.to_wire(clock.now())
        self.refusals.append({"at": at, "asked_by": via, "status": reply.status, "code": reply.code})

    def sounds(self) -> dict[str, Any]:
        """What is heard in the car at this moment."""
        return self.speakers.state(time.monotonic() * 1000, clock.to_wire(clock.now()))

    def _fate(self) -> str:
        if not self.line.is_whole:
            return "offline"
        return "lost" if self.switches.loses_pushes else "delivered"

    def _resume(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self._running = self.ride = None
        if self.driver.order_id is not None and not self.driver.is_over:
            self.ride = ride.Ride(self, self.driver.order_id)
            self._running = asyncio.create_task(self._play(self.ride))

    async def _play(self, this: ride.Ride) -> None:
        backoff = line.Backoff(first_s=1.0)
        while self.ride is this:
            try:
                await this.play()
                return
            except Exception as failure:
                logs.exception("taximeter_failed", exc=failure)
                await backoff.pause()
