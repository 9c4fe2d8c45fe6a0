"""`new-key`, as an operator runs it."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from .. import makers

SECRET_ALONE = {"MAAS_AUTHPROXY_KEY_SECRET": makers.SECRET}


def _run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "maas_authproxy", *arguments],
        env=SECRET_ALONE if env is None else env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_makes_a_key_that_the_service_takes(edge: Any) -> None:
    edge.maas.on("GET", "/maas/v1/subscription/status", answer={})
    made = _run("new-key", "metro", "--json", "--days", "2")
    assert (made.returncode, made.stderr) == (0, "")
    answer = json.loads(made.stdout)
    edge.partners.entries.append(answer["partner"])
    edge.partners.write()
    await edge.reload()
    path = "/maas-authproxy/v1/subscription/status?pass_id=p"
    assert (await edge.ask("GET", path, key=answer["key"])).status == 200
    assert edge.maas.calls()[0].headers["X-Maas-Partner"] == "metro"


def test_prints_the_key_once_and_an_entry_to_add() -> None:
    made = _run("new-key", "vtb")
    assert (made.returncode, made.stderr) == (0, "")
    lines = made.stdout.splitlines()
    key, entry = lines[1].strip(), yaml.safe_load(lines[3])[0]
    assert made.stdout.count(key.partition(".")[2]) == 1
    assert key.startswith(f"{entry['key_id']}.")
    assert set(entry) == {"key_id", "hash"}
    assert makers.SECRET not in made.stdout


def test_stays_silent_about_other_settings() -> None:
    env = SECRET_ALONE | {"MAAS_AUTHPROXY_API_PORT": "1", "MAAS_AUTHPROXY_TYPO": "1"}
    assert set(json.loads(_run("new-key", "vtb", "--json", env=env).stdout)) == {"key", "partner"}


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("new-key", "vtb"), {}),
        (("new-key", "vtb"), {"MAAS_AUTHPROXY_KEY_SECRET": "short"}),
        (("new-key", "V T B"), SECRET_ALONE),
        (("new-key",), SECRET_ALONE),
        (("new-key", "vtb", "--days", "0"), SECRET_ALONE),
        (("new-key", "vtb", "--days", "many"), SECRET_ALONE),
    ],
)
def test_makes_no_key_when_asked_wrongly(arguments: tuple[str, ...], env: dict[str, str]) -> None:
    refused = _run(*arguments, env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr
    assert "short" not in refused.stderr


def test_help_names_the_command() -> None:
    assert "new-key" in _run("--help").stdout
