import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack import failures, supervision
from testkit import until
from testkit.servers import processes

# Answers /ready with the status in a file beside it; says one line to its log.
_SERVER = """
import http.server, sys, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(pathlib.Path(sys.argv[2]).read_text()))
        self.end_headers()
        self.wfile.write(b'{"database": "down"}')
    def log_message(self, *_): pass
print("hello from the log", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

Make = Callable[..., supervision.Part]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Iterator[Make]:
    made: list[supervision.Part] = []
    port = processes.free_port()
    status = tmp_path / "status"
    status.write_text("200")

    def make_part(script: str = _SERVER) -> supervision.Part:
        log = tmp_path / "log"
        argv = [sys.executable, "-c", script, str(port), str(status)]
        part = supervision.Part(
            "demo",
            supervision.Command(lambda: processes.Process("demo", argv, log=log, env={}, grace_s=5)),
            lambda name, text: said.append(f"{name}: {text}"),
            ready_url=f"http://127.0.0.1:{port}/ready",
            why=lambda: processes.log_tail(log),
        )
        made.append(part)
        return part

    yield make_part
    for part in made:
        part.end()


def _pid(part: supervision.Part) -> int:
    assert isinstance(part.server, supervision.Command)
    assert part.server.process is not None
    assert part.server.process.pid is not None
    return part.server.process.pid


async def test_starts_a_crashed_part_again_and_says_so(make: Make, said: list[str]) -> None:
    part = make()
    part.start()
    first = _pid(part)
    os.kill(first, signal.SIGKILL)
    await until(lambda: any("is back" in line for line in said), timeout_s=10)
    assert _pid(part) != first
    assert "demo: ended unasked (killed by SIGKILL); starting it again" in said


async def test_starts_a_part_again_whose_keeper_was_killed(make: Make, said: list[str]) -> None:
    part = make()
    part.start()
    assert isinstance(part.server, supervision.Command)
    assert part.server.process is not None
    assert part.server.process.keeper_pid is not None
    os.kill(part.server.process.keeper_pid, signal.SIGKILL)
    await until(lambda: any("is back" in line for line in said), timeout_s=10)
    assert "demo: ended unasked (killed with its keeper); starting it again" in said


async def test_leaves_down_what_was_stopped(make: Make, said: list[str]) -> None:
    part = make()
    part.start()
    part.kill(stay_down=True)
    part.start()
    part.stop()
    assert not part.server.is_alive()
    assert part.crashes == 0
    part.start()
    assert part.server.is_alive()


def test_tells_which_part_was_not_ready_and_why(make: Make, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("503")
    with pytest.raises(failures.StackFailed) as caught:
        make().start(timeout_s=2.0)
    assert str(caught.value) == 'demo was not ready within 2 s ({"database": "down"}):\nhello from the log'


def test_tells_the_end_of_the_log_of_a_part_that_ended(make: Make) -> None:
    with pytest.raises(failures.StackFailed, match="demo ended while starting:\nbad settings"):
        make("import sys; sys.exit('bad settings')").start(timeout_s=10.0)


async def test_tries_again_and_again(make: Make, said: list[str], tmp_path: Path) -> None:
    part = make()
    part.start()
    (tmp_path / "status").unlink()  # the restarted one answers nothing useful, then dies
    os.kill(_pid(part), signal.SIGKILL)
    first = _pid(part)
    await until(lambda: _pid(part) != first, timeout_s=10)
    (tmp_path / "status").write_text("200")
    await until(lambda: any("is back" in line for line in said), timeout_s=10)


def test_tells_why_a_command_failed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no such table')"]
    with pytest.raises(failures.StackFailed, match="migrate failed:\nno such table"):
        supervision.run_once("migrate", argv, {}, tmp_path / "log", 10)


def test_ends_a_command_that_takes_too_long(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(failures.StackFailed, match="migrate did not end within 0 s"):
        supervision.run_once("migrate", argv, {}, tmp_path / "log", 0.3)
