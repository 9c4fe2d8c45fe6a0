"""A service that runs armed dies, stops or writes at the failpoint it is told, and lives afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_DEMO = """
from kit import failpoints
for number in range(3):
    failpoints.reach("demo.step", "before_commit")
    failpoints.reach("demo.step", "after_commit")
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "demo_armed"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_DEMO, "utf-8")
    return tmp_path


def _run(folder: Path, **told: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(folder), "ARMED_FILE": str(folder / "hits")} | told
    argv = [sys.executable, "-m", "testkit.armed", "demo_armed", "all"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)


def test_kills_at_the_nth_hit_and_only_once(folder: Path) -> None:
    told = {"ARMED_FAILPOINT": "demo.step:after_commit", "ARMED_ACTION": "kill", "ARMED_NTH": "2"}
    died, lived = _run(folder, **told), _run(folder, **told)
    assert (died.returncode, died.stdout.split()) == (-signal.SIGKILL, ["0"])
    assert (lived.returncode, lived.stdout.split()) == (0, ["0", "1", "2"])
    assert (folder / "hits").read_text() == "kill demo.step:after_commit\n"


def test_pauses_until_it_is_told_to_go_on(folder: Path) -> None:
    told = {"ARMED_FILE": str(folder / "hits"), "ARMED_FAILPOINT": "demo.step:before_commit", "ARMED_ACTION": "pause"}
    env = os.environ | {"PYTHONPATH": str(folder)} | told
    with subprocess.Popen(
        [sys.executable, "-m", "testkit.armed", "demo_armed"], env=env, stdout=subprocess.PIPE
    ) as run:
        _, status = os.waitpid(run.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        run.send_signal(signal.SIGCONT)
        assert run.communicate(timeout=30)[0].split() == [b"0", b"1", b"2"]


def test_records_what_is_reached(folder: Path) -> None:
    (folder / "order").write_text("record *\n")
    assert _run(folder, ARMED_ORDER=str(folder / "order")).returncode == 0
    assert (folder / "hits").read_text().split() == ["demo.step:before_commit", "demo.step:after_commit"] * 3


def test_does_nothing_without_an_order_and_refuses_an_unknown_one(folder: Path) -> None:
    assert _run(folder, ARMED_ORDER=str(folder / "none")).stdout.split() == ["0", "1", "2"]
    assert not (folder / "hits").exists()
    refused = _run(folder, ARMED_FAILPOINT="demo.step:after_commit", ARMED_ACTION="explode")
    assert refused.returncode == 1
    assert "there is no action explode" in refused.stderr
