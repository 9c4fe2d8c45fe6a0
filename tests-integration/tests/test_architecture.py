"""`make arch` catches each kind of import that the house does not allow: every rule is broken once."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRONG = {
    "services > clients > kit, and never one service from another": (
        "libs/kit/kit/clock.py",
        "import clients.vtb",
    ),
    "what tests use is used by no production code": ("services/maas/maas/app.py", "import testkit.waiting"),
    "the runner, the journeys and the harness know services by their APIs alone": (
        "deploy/local/local_stack/ports.py",
        "import maas.app",
    ),
    "the world around the services knows none of them": ("deploy/sandbox/sandbox/app.py", "import clients.vtb"),
    "in maas: main > app > features > context > config": ("services/maas/maas/config.py", "import maas.users.model"),
    "in maas-authproxy: main > app > features > context > config": (
        "services/maas-authproxy/maas_authproxy/config.py",
        "import maas_authproxy.app",
    ),
    "in music: main > app > features > context > config": (
        "services/music/music/context.py",
        "import music.players.model",
    ),
    "in a feature: handlers | tasks > schemas > actions > queries > model": (
        "services/maas/maas/users/model.py",
        "import maas.users.queries",
    ),
    "no circles among features": ("services/maas/maas/users/actions.py", "import maas.binding.actions"),
    "across features only actions, model and schemas are open": (
        "services/maas/maas/rides/actions.py",
        "import maas.users.queries",
    ),
    "the PostgreSQL drivers are behind kit.pg and kit.migrate": ("services/maas/maas/users/queries.py", "import aiopg"),
    "the RabbitMQ driver is behind kit.stq": ("services/maas/maas/rides/tasks.py", "import aio_pika"),
    "aiohttp's client is behind kit.http_client": ("libs/clients/clients/vtb.py", "import aiohttp"),
    "structlog is behind kit.logs": ("libs/kit/kit/web/api.py", "import structlog"),
    "prometheus_client is behind kit.metrics": ("libs/kit/kit/web/api.py", "import prometheus_client"),
    "jwt is behind kit.tickets": ("libs/kit/kit/identity.py", "import jwt"),
    "OpenTelemetry is behind kit.trace": ("libs/kit/kit/scope.py", "import opentelemetry"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, to be broken."""
    copy = tmp_path_factory.mktemp("house")
    for part in ("libs", "services", "deploy", "tests-integration"):
        shutil.copytree(
            ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "tests", "data", ".*", "build")
        )
    shutil.copy(ROOT / ".importlinter", copy)
    return copy


def _lint(house: Path) -> tuple[int, str]:
    members = [str(path.parent) for path in sorted(house.glob("**/pyproject.toml"))]
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ".importlinter"],
        cwd=house,
        env={"PYTHONPATH": ":".join(members), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout


def test_keeps_every_rule(house: Path) -> None:
    status, output = _lint(house)
    assert status == 0, output
    kept = set(re.findall(r"^(.+) KEPT(?: \(1 ignored import\))?$", output, re.MULTILINE))
    assert kept == set(WRONG)


@pytest.mark.parametrize("rule", sorted(WRONG))
def test_catches_the_import_that_breaks_the_rule(house: Path, rule: str) -> None:
    name, statement = WRONG[rule]
    file = house / name
    good = file.read_text("utf-8")
    file.write_text(f"{good}\n\ndef _broken() -> None:\n    {statement}\n", "utf-8")
    try:
        status, output = _lint(house)
    finally:
        file.write_text(good, "utf-8")
    assert status == 1, output
    assert f"{rule} BROKEN" in output
