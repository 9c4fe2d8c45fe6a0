"""API keys of partners: made by the service that checks them, which alone knows how they are hashed."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from local_stack import failures, folder, services


def make_keys(
    service: services.Service, partners: Sequence[str], run: folder.Folder, env: Mapping[str, str]
) -> dict[str, str]:
    """A new key per partner; its hash goes into the service's dynamic config. Raises StackFailed."""
    made = {partner: _new_key(service, partner, env) for partner in partners}
    entries = yaml.safe_dump({service.partners: [answer["partner"] for answer in made.values()]}, sort_keys=False)
    file = run / f"config/{service.name}.yaml"
    # Added as text, below `configs:`, so that the comments of the file stay.
    file.write_text(file.read_text("utf-8") + textwrap.indent(entries, "  "), "utf-8")
    if service.partners not in yaml.safe_load(file.read_text("utf-8"))["configs"]:
        raise failures.StackFailed(f"the default config of {service.name} must end with its `configs:`")
    return {partner: str(answer["key"]) for partner, answer in made.items()}


def _new_key(service: services.Service, partner: str, env: Mapping[str, str]) -> dict[str, Any]:
    argv = [sys.executable, "-m", service.package, "new-key", partner, "--json"]
    done = subprocess.run(argv, env=dict(env), cwd="/", capture_output=True, text=True, check=False, timeout=60)
    try:
        answer = json.loads(done.stdout)
        if done.returncode == 0 and "key" in answer and "partner" in answer:
            return dict(answer)
    except ValueError:
        pass
    raise failures.StackFailed(f"`{service.package} new-key {partner}` failed:\n{(done.stderr or done.stdout)[-800:]}")
