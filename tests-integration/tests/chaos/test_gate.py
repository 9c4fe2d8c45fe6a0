"""The gate does what it is told, at once, to open and to new connections; checked with plain sockets on both ends."""

import asyncio
import contextlib
import struct
import time
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from chaos import framing
from chaos.gate import Gate
from kit import pg
from testkit.plugin import PostgresServer
from testkit.waiting import until

_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Far:
    """The server behind the gate: keeps what it hears and echoes it."""

    heard: bytearray = field(default_factory=bytearray)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.breaks.append("end")
        except OSError as failure:
            self.breaks.append(type(failure).__name__)
        finally:
            writer.close()


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
async def gate(far: Far) -> AsyncIterator[Gate]:
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    async with server, Gate("127.0.0.1", server.sockets[0].getsockname()[1]) as opened:
        yield opened
    await until(lambda: len(far.breaks) == len(far.writers))


@contextlib.asynccontextmanager
async def _client(gate: Gate) -> AsyncIterator[_Ends]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _echoed(ends: _Ends, data: bytes = b"ping") -> bytes:
    reader, writer = ends
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


async def _is_silent(ends: _Ends, seconds: float = 0.2) -> bool:
    try:
        return not await asyncio.wait_for(ends[0].read(1), seconds)
    except TimeoutError:
        return True


async def test_lets_everything_through_and_counts_it(gate: Gate, far: Far) -> None:
    big = bytes(range(256)) * 8000
    async with _client(gate) as one, _client(gate) as two:
        assert await _echoed(one, big) == big
        assert await _echoed(two) == b"ping"
        assert (gate.connections, gate.open) == (2, 2)
        two[1].write_eof()
        assert await two[0].read() == b""
    await until(lambda: gate.open == 0)
    assert far.breaks == ["end", "end"]
    assert gate.passed == {"to_server": len(big) + 4, "to_client": len(big) + 4}


async def test_stops_reading_and_goes_on(gate: Gate, far: Far) -> None:
    async with _client(gate) as before:
        await _echoed(before)
        gate.stop_reading()
        async with _client(gate) as later:
            for _, writer in (before, later):
                writer.write(b"held")
            assert await _is_silent(before)
            assert await _is_silent(later)
            gate.let_through()
            for reader, _ in (before, later):
                assert await asyncio.wait_for(reader.readexactly(4), 5) == b"held"


async def test_a_sender_that_nobody_reads_is_stopped_by_full_buffers(gate: Gate) -> None:
    gate.stop_reading()
    async with _client(gate) as (_, writer):
        writer.write(bytes(64 << 20))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.5)
        assert gate.passed["to_server"] == 0
        writer.transport.abort()


async def test_swallows_and_resets_later_what_has_lost_bytes(gate: Gate, far: Far) -> None:
    async with _client(gate) as loser, _client(gate) as idle:
        await _echoed(loser), await _echoed(idle)
        gate.drop()
        loser[1].write(b"lost")
        assert await _is_silent(loser)
        gate.let_through()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(loser[0].readexactly(1), 5)
        assert await _echoed(idle) == b"ping"
    assert b"lost" not in far.heard


async def test_refuses_and_serves_again_on_the_same_port(gate: Gate, far: Far) -> None:
    async with _client(gate) as before:
        await _echoed(before)
        gate.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gate.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(before[0].readexactly(1), 5)
    await until(lambda: far.breaks == ["ConnectionResetError"])
    gate.let_through()
    async with _client(gate) as after:
        assert await _echoed(after) == b"ping"


async def test_delays_both_ways_and_keeps_the_order(gate: Gate) -> None:
    async with _client(gate) as ends:
        gate.delay(0.1, jitter_s=0.05)
        began = time.monotonic()
        for number in range(20):
            ends[1].write(bytes([number]))
        assert await asyncio.wait_for(ends[0].readexactly(20), 5) == bytes(range(20))
        assert 0.2 <= time.monotonic() - began < 2
        gate.delay(60)
        ends[1].write(b"late")
        assert await _is_silent(ends)
        gate.let_through()
        assert await asyncio.wait_for(ends[0].readexactly(4), 5) == b"late"


async def test_limits_the_rate(gate: Gate) -> None:
    async with _client(gate) as ends:
        gate.limit(10_000)
        began = time.monotonic()
        await _echoed(ends, bytes(3000))
        assert 0.3 <= time.monotonic() - began < 3


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_cuts_after_exactly_so_many_bytes(gate: Gate, far: Far, direction: framing.Way) -> None:
    async with _client(gate) as before:
        await _echoed(before, b"before")
        gate.cut_after(10, direction)
        async with _client(gate) as later:
            for ends in (before, later):
                ends[1].write(bytes(25))
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(ends[0].readexactly(25), 5)
    await until(lambda: len(far.breaks) == 2)
    assert gate.passed[direction] == 6 + 2 * 10


async def test_resets_what_is_open_and_no_more(gate: Gate, far: Far) -> None:
    async with _client(gate) as before:
        await _echoed(before)
        gate.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(before[0].readexactly(1), 5)
    async with _client(gate) as after:
        assert await _echoed(after) == b"ping"
    assert far.breaks[0] == "ConnectionResetError"


async def test_corrupts_the_nth_byte_or_by_chance_from_a_seed(gate: Gate, far: Far) -> None:
    async with _client(gate) as ends:
        gate.corrupt(3, direction="to_server")
        answer = await _echoed(ends, bytes(10))
        assert [position for position, byte in enumerate(answer) if byte] == [2]
        wrong = []
        for _ in range(2):
            gate.corrupt(probability=0.1, seed=7, direction="to_client")
            wrong.append(await _echoed(ends, bytes(1000)))
        assert wrong[0] == wrong[1]
        assert 50 < sum(map(bool, wrong[0])) < 200


_FRAME = struct.pack("!BHI", 1, 1, 3) + b"abc\xce"


async def test_cuts_where_the_nth_message_begins(gate: Gate) -> None:
    async with _client(gate) as before:
        gate.cut_at_message(3, framing.Amqp, "to_client")
        assert await _echoed(before, _FRAME + _FRAME) == _FRAME + _FRAME
        before[1].write(_FRAME)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(before[0].readexactly(1), 5)


async def test_tells_a_commit_whose_answer_was_cut_off_from_one_never_sent(postgres_server: PostgresServer) -> None:
    address = urllib.parse.urlsplit(postgres_server.dsn)
    async with Gate("127.0.0.1", address.port or 0) as gate:
        through = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{gate.port}"))
        db = await pg.Database.open(through.geturl(), name="gate", size=1)
        try:
            assert await db.one(pg.value, "SELECT 1") == 1
            gate.cut_at_message(1, framing.Postgres, "to_client")
            with pytest.raises(pg.OutcomeUnknown):
                await db.run("CREATE TEMPORARY TABLE told (number integer)")
            gate.let_through()
            assert await db.one(pg.value, "SELECT 2") == 2
            gate.refuse()
            await until(lambda: gate.open == 0)
            with pytest.raises(pg.Unavailable):
                await db.run("CREATE TEMPORARY TABLE told (number integer)")
        finally:
            await db.close()
