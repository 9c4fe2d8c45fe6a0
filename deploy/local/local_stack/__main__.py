"""`python -m local_stack`: runs the stack, or an operator's command against the running one."""

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_stack import failures, folder, ports, reports, services, settings, stack
from testkit import servers

_STANDARD_FOLDER = Path(".run")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 all well, 1 something failed (said in a sentence), 2 asked wrongly, 130 interrupted."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.act(parsed))
    except (failures.StackFailed, servers.ServerFailed, servers.ServerMissing) as failure:
        print(f"local_stack: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description="The whole suite on one machine.")
    words = parser.add_subparsers(required=True, metavar="WORD")
    run = words.add_parser("run", help="start everything, play the journeys, serve until Ctrl-C")
    run.add_argument("--once", action="store_true", help="stop after the journeys; the exit status tells their outcome")
    run.add_argument("--no-journeys", action="store_true", help="start and serve only")
    run.add_argument("--keep-data", action="store_true", help="start on the data of the last run instead of afresh")
    run.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"a port that must be this one; NAME is one of {', '.join(ports.defaults(services.SERVICES))}",
    )
    run.set_defaults(act=_run)
    migrate = words.add_parser("migrate", help="bring the databases of the running stack up to date")
    migrate.set_defaults(act=lambda parsed: _each(parsed, ["migrate"]))
    dead = words.add_parser("dead-tasks", help="list the dead tasks of the running stack")
    dead.set_defaults(act=lambda parsed: _each(parsed, ["tasks", "list", "--state", "dead"]))
    for word in (migrate, dead):
        word.add_argument("--service", default="", help="only this one")
    for word in (run, migrate, dead):
        word.add_argument(
            "--data", type=Path, default=_STANDARD_FOLDER, metavar="DIR", help="the run folder (default: %(default)s)"
        )
    return parser


def _run(parsed: argparse.Namespace) -> int:
    # SIGINT too: a shell that started us in the background had it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    report = reports.Console()
    whole = stack.Stack(parsed.data, report=report, asked_ports=ports.parse(parsed.port), keep_data=parsed.keep_data)
    try:
        with whole:
            report("stack", f"everything is up; addresses, tickets and keys are in {whole.folder.stack_file}")
            status = 0 if parsed.no_journeys else _play(whole, report)
            if not parsed.once:
                _serve(whole.description)
            report("stack", "stopping")
    finally:
        report("stack", "stopped")
    return status


def _serve(description: dict[str, Any]) -> None:
    """Until Ctrl-C, which is how serving ends: it does not undo what the journeys said."""
    for name, addresses in description["services"].items():
        print(f"  {name:<16} {addresses['api']}   docs: {addresses['monitor']}/docs")
    print(f"  {'sandbox':<16} {description['sandbox']['api']}")
    print("  Ctrl-C stops everything.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _play(whole: stack.Stack, report: reports.Console) -> int:
    argv = [sys.executable, "-m", "journeys", str(whole.folder.stack_file)]
    status = subprocess.run(argv, env=settings.plain(), check=False).returncode
    report("journeys", "all passed" if status == 0 else f"failed (exit status {status}); logs: {whole.folder / 'logs'}")
    return 1 if status else 0


def _each(parsed: argparse.Namespace, words: Sequence[str]) -> int:
    """Runs a command of each service (or the one named) with the environment of the running stack."""
    run = folder.Folder(parsed.data)
    known = {service.name: service for service in services.present()}
    if parsed.service and parsed.service not in known:
        raise failures.StackFailed(f"there is no service {parsed.service}; there are {', '.join(known)}")
    if not run.stack_file.exists():
        raise failures.StackFailed(f"no stack runs in {run.path}; `make run` starts one")
    status = 0
    for service in known.values():
        if parsed.service not in ("", service.name):
            continue
        env = settings.saved(service, run)
        if env is None:
            raise failures.StackFailed(f"the running stack has no {service.name}")
        print(f"# {service.name}", flush=True)
        argv = [sys.executable, "-m", service.package, *words]
        status = max(status, abs(subprocess.run(argv, env=settings.plain() | env, check=False).returncode))
    return min(status, 1)


if __name__ == "__main__":
    sys.exit(main())
