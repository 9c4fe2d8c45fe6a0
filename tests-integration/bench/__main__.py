"""Runs the benchmarks of the suite one after another and prints their tables; it never fails a build.

`make bench` runs all; `make bench ARGS="--only web"` one; what follows `--` goes to the benchmark itself:
`make bench ARGS="--only state_poll -- --rounds 3"`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FOUND = sorted((*ROOT.glob("*/*/bench/*_bench.py"), *ROOT.glob("tests-integration/bench/*_bench.py")))
BENCHMARKS = {path.stem.removesuffix("_bench"): path for path in _FOUND}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(BENCHMARKS), help="run this one (may be repeated)")
    parser.add_argument("rest", nargs="*", help="arguments for the benchmark, after --")
    arguments = parser.parse_args()
    for name in arguments.only or BENCHMARKS:
        print(f"\n== {name} ==", flush=True)
        subprocess.run([sys.executable, BENCHMARKS[name], *arguments.rest], check=False)


if __name__ == "__main__":
    main()
