"""The packages that contenders alone need, in an environment of their own: setting up and CI never wait for them.

`python tests-integration/bench/environment.py --lock` makes their lock anew from `requirements.in`.
"""

import argparse
import hashlib
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CONTENDERS = Path(__file__).parent / "contenders"
_ASKED = _CONTENDERS / "requirements.in"
_LOCK = _CONTENDERS / "requirements.lock"
_MADE = ROOT / ".cache/bench"
_UV = ROOT / ".venv/bin/uv"


def python() -> Path:
    """The interpreter that has them; installs them first, each checked against its hash, when the lock has changed."""
    stamp, wanted = _MADE / "made-from", hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    interpreter = _MADE / "bin/python"
    if not stamp.exists() or stamp.read_text() != wanted:
        print("installing the packages of the contenders", flush=True)
        _uv("venv", "--clear", "--python", str(ROOT / ".venv/bin/python"), str(_MADE))
        _uv("pip", "sync", "--require-hashes", "--python", str(interpreter), str(_LOCK))
        stamp.write_text(wanted)
    return interpreter


def lock() -> None:
    """Exact versions with hashes, and no package host."""
    again = "python tests-integration/bench/environment.py --lock"
    how = ("--universal", "--generate-hashes", "--no-annotate", "--python-version", "3.11")
    _uv("pip", "compile", *how, "--custom-compile-command", again, "-o", str(_LOCK), str(_ASKED))


def _uv(*words: str) -> None:
    env = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1", "UV_SYSTEM_CERTS": "1"} | os.environ
    subprocess.run([_UV, *words, "--quiet"], env=env, check=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", action="store_true", help="make the lock anew, then install")
    if parser.parse_args().lock:
        lock()
    print(python())


if __name__ == "__main__":
    main()
