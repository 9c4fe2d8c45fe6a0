import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GOOD = (
    "uv==0.13.8 \\\n    --hash=sha256:" + "a" * 64 + " \\\n    --hash=sha256:" + "b" * 64 + "\n    # via taxi-suite\n"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project of one package, with the real setup script."""
    local = tmp_path / "deploy/local"
    local.mkdir(parents=True)
    for name in ("setup.sh", "lockfile.py"):
        shutil.copy(ROOT / "deploy/local" / name, local / name)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\ndependencies = ["uv"]\n')
    (tmp_path / "requirements.lock").write_text(GOOD)
    return tmp_path


def _setup(clone: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/env", "bash", str(clone / "deploy/local/setup.sh"), *words],
        env={"PATH": os.environ["PATH"], "HOME": str(clone)} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def _check(clone: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python3", "deploy/local/lockfile.py", *names], cwd=clone, capture_output=True, text=True, check=False
    )


def test_accepts_a_whole_lock_and_prints_a_package(clone: Path) -> None:
    done = _check(clone, "uv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == GOOD.replace("    # via taxi-suite\n", "")


def test_accepts_the_lock_of_the_repository() -> None:
    assert _check(ROOT).returncode == 0


@pytest.mark.parametrize(
    ("lock", "why"),
    [
        (GOOD[:60], "line 2 is not a hash"),
        (GOOD[: GOOD.index("    --hash=sha256:b")], "it ends in the middle of a package"),
        ("uv==0.13.8\n", "line 1: uv has no hash"),
        ("<<<<<<< HEAD\n" + GOOD, "line 1 is not a package with its exact version"),
        ("uv>=0.13 \\\n    --hash=sha256:" + "a" * 64 + "\n", "line 1 is not a package with its exact version"),
        ("", "uv, which pyproject.toml asks for, is not in it"),
        ("\0\0\0\0", "line 1 is not a package with its exact version"),
    ],
)
def test_setup_says_in_a_sentence_what_is_wrong_with_the_lock(clone: Path, lock: str, why: str) -> None:
    (clone / "requirements.lock").write_text(lock)
    done = _setup(clone)
    assert done.returncode == 1
    assert done.stderr == (
        f"setup: requirements.lock cannot be used: {why}; "
        "restore it (git checkout requirements.lock) or make it anew (make lock)\n"
    )
    assert not (clone / ".venv").exists()


def test_setup_says_that_the_lock_is_missing(clone: Path) -> None:
    (clone / "requirements.lock").unlink()
    done = _setup(clone)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: requirements.lock cannot be used: it is missing;")


def test_setup_says_which_python_it_needs(clone: Path) -> None:
    tools = clone / "tools"
    tools.mkdir()
    for name in ("bash", "sed", "cat", "sha256sum", "cut", "mkdir", "flock", "id", "dirname"):
        (tools / name).symlink_to(shutil.which(name) or "/nonexistent")
    done = _setup(clone, PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11, 3.12 or 3.13 is missing; install one")


def test_setup_does_nothing_when_all_is_right(clone: Path) -> None:
    bin_folder = clone / ".venv/bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to("/bin/false")
    (clone / ".venv/made-from").write_text(_setup(clone, "--key").stdout)
    done = _setup(clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (clone / "requirements.lock").write_text("")
    assert _setup(clone).returncode == 1
