"""One ride's music on a taximeter: it listens, applies strictly in order, and reports until music has heard it.

Commands come by pushes' hints, by long polls and with the answers to reports; each `seq` is handled once.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from kit import clock
from sandbox import callers
from sandbox.taximeter import commands, line, sdk, speakers

if TYPE_CHECKING:
    from sandbox.taximeter.device import Device

_ANSWERED_TOO_SOON_S = 1.0
_HINT_ATTEMPTS = 3
_MOST_RESULTS = 100


class Ride:
    """What a running taximeter knows of its ride; `results` are those that music has not acknowledged."""

    def __init__(self, device: "Device", order_id: str) -> None:
        self._device = device
        self.order_id = order_id
        self.queue: dict[int, commands.Command] = {}
        self.results: list[dict[str, Any]] = []
        self.sdk = sdk.Sdk(device.world, device.line, order_id)
        self._is_changed, self._is_hinted, self._has_arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._is_ended, self._is_switched = asyncio.Event(), asyncio.Event()
        self._is_changed.set()
        self._reported_at = 0.0

    async def play(self) -> None:
        """Runs until music says that it is over."""
        works = (self._listen(), self._follow_hints(), self._apply_all(), self._keep_reporting(), self.sdk.keep_fresh())
        async with asyncio.TaskGroup() as together:
            running = [together.create_task(work) for work in works]
            await self._is_ended.wait()
            for task in running:
                task.cancel()

    def hint(self, up_to_seq: int) -> None:
        """A push says that there are commands up to this one."""
        if up_to_seq > self._known_seq:
            self._is_hinted.set()

    def look_again(self) -> None:
        """Something about the device changed: it reports at once, and hears what is open."""
        self._is_switched.set()
        self._is_changed.set()

    @property
    def _known_seq(self) -> int:
        return max((self._device.driver.applied_seq, *self.queue))

    async def _listen(self) -> None:
        backoff = line.Backoff()
        while True:
            wait_ms = self._device.switches.wait_ms
            if not wait_ms:
                self._is_switched.clear()
                await self._is_switched.wait()
                continue
            began, known = time.monotonic(), self._known_seq
            is_answered = await self._pull(wait_ms, "pull")
            if is_answered and (self._known_seq > known or time.monotonic() - began >= _ANSWERED_TOO_SOON_S):
                backoff.reset()
            else:
                await backoff.pause(self._longest_pause_s(is_answered))

    async def _follow_hints(self) -> None:
        while True:
            await self._is_hinted.wait()
            self._is_hinted.clear()
            backoff = line.Backoff()
            for _ in range(_HINT_ATTEMPTS):
                if await self._pull(0, "push"):
                    break
                await backoff.pause()

    async def _pull(self, wait_ms: int, via: str) -> bool:
        query = {"order_id": self.order_id, "after_seq": str(self._known_seq), "wait_ms": str(wait_ms)}
        try:
            reply = await self._device.line.get("commands", query, line.TIMEOUT_S + wait_ms / 1000)
        except callers.NoAnswer:
            return False
        return self._heard(reply, via)

    async def _apply_all(self) -> None:
        while True:
            if not self.queue:
                self._has_arrived.clear()
                await self._has_arrived.wait()
            await asyncio.sleep(self._device.switches.apply_delay_ms / 1000)
            command = self.queue[min(self.queue)]
            reason = await self._prepare(command)
            # From here on nothing is awaited: what sounds and what is remembered of it change together.
            del self.queue[command.seq]
            if command.seq > self._device.driver.applied_seq:
                self._do(command, reason)

    async def _prepare(self, command: commands.Command) -> commands.Prepared | str:
        if command.is_expired:
            return "expired"
        failing = self._device.switches.take_failure()
        if failing is not None:
            return failing
        try:
            return await commands.prepare(command, self._device.speakers, self.sdk)
        except speakers.CannotDo as cannot:
            return str(cannot)
        except (KeyError, TypeError, ValueError):
            return "bad_command"

    def _do(self, command: commands.Command, prepared: commands.Prepared | str) -> None:
        result: dict[str, Any] = {"seq": command.seq, "result": "failed"}
        if isinstance(prepared, str):
            result["reason"] = prepared
        elif command.is_expired:
            result["reason"] = "expired"
        else:
            try:
                commands.do(command, prepared, self._device.speakers)
                result["result"] = "applied"
            except speakers.CannotDo as cannot:
                result |= {"result": "rejected", "reason": str(cannot)}
            except (KeyError, TypeError, ValueError):
                result["reason"] = "bad_command"
        self.results.append(result)
        self._device.remember(self.order_id, command, result)
        self._is_changed.set()

    async def _keep_reporting(self) -> None:
        backoff = line.Backoff()
        while True:
            await self._news()
            await self._device.line.whole()
            self._is_changed.clear()
            if await self._report():
                backoff.reset()
            else:
                self._is_changed.set()
                await backoff.pause(self._longest_pause_s(is_answered=False))

    async def _news(self) -> None:
        left_ms = self._device.speakers.left_ms(time.monotonic() * 1000)
        until = self._reported_at + self._device.switches.heartbeat_s - time.monotonic()
        if left_ms is not None:
            until = min(until, left_ms / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until)):
                await self._is_changed.wait()

    async def _report(self) -> bool:
        sent = self.results[:_MOST_RESULTS]
        body = {
            "order_id": self.order_id,
            **self._device.next_report(),
            "state": self._device.speakers.state(time.monotonic() * 1000, clock.to_wire(clock.now())),
            "applied_seq": self._device.driver.applied_seq,
            "results": sent,
        }
        try:
            reply = await self._device.line.post("update", body)
        except callers.NoAnswer:
            return False
        if not self._heard(reply, "report"):
            return False
        self._reported_at = time.monotonic()
        del self.results[: len(sent)]
        if self.results:
            self._is_changed.set()
        return True

    def _heard(self, reply: callers.Reply, via: str) -> bool:
        device = self._device
        if reply.is_ok:
            device.opened()
            self._take(reply.payload.get("commands", []), via)
            return True
        device.refused(via, reply)
        # Before music has served this ride at all, both may mean that it does not know of it yet.
        if device.driver.was_open and reply.code in ("player_closed", "not_your_player"):
            device.ride_ended()
            self._is_ended.set()
        elif reply.code == "device_session_replaced":
            device.new_session()
        return False

    def _take(self, found: list[dict[str, Any]], via: str) -> None:
        now, at = time.monotonic(), clock.to_wire(clock.now())
        for one in found:
            seq = one["seq"]
            if seq <= self._device.driver.applied_seq or seq in self.queue:
                continue
            ends = now + one["expires_in_ms"] / 1000
            self.queue[seq] = commands.Command(seq, one["command_id"], one["action"], one["args"], ends, at, via)
            self._has_arrived.set()

    def _longest_pause_s(self, is_answered: bool) -> float:
        if is_answered:
            return _ANSWERED_TOO_SOON_S
        return 5.0 if self._device.driver.was_open else self._device.switches.heartbeat_s
