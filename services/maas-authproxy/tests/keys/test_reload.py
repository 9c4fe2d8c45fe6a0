"""The file of partners as it changes under a running edge, seen by its own watch: in force within five seconds, and
what can't be read lets nobody in who was not in before.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from testkit.measuring import Difference
from testkit.waiting import until

INFO = "/maas-authproxy/v1/subscription/info?pass_id=p"
IN_FORCE_S = 5.0


@pytest.fixture(autouse=True)
def answers(edge: Any) -> None:
    """maas answers everything."""
    edge.maas.on("*", "/{rest}", answer={"ok": True})


async def _becomes(edge: Any, status: int, key: str | None = "") -> None:
    async def is_so() -> bool:
        return bool((await edge.ask("GET", INFO, key=key)).status == status)

    await until(is_so, timeout_s=IN_FORCE_S)


async def _is_refused(refusals: Difference) -> None:
    await until(lambda: refusals.value == 1, timeout_s=IN_FORCE_S)


async def test_a_new_key_opens_and_a_removed_one_closes(edge: Any) -> None:
    new = edge.partners.add("vtb")
    await _becomes(edge, 200, new)
    del edge.partners.entries[0]["keys"][0]
    edge.partners.write()
    await _becomes(edge, 401)
    assert (await edge.ask("GET", INFO, key=new)).status == 200


async def test_a_removed_partner_and_an_empty_list_close_everything(edge: Any) -> None:
    other = edge.partners.add("metro")
    await _becomes(edge, 200, other)
    del edge.partners.entries[0]
    edge.partners.write()
    await _becomes(edge, 401)
    assert (await edge.ask("GET", INFO, key=other)).status == 200
    edge.partners.entries.clear()
    edge.partners.write()
    await _becomes(edge, 401, other)
    for key in (None, "", ".", edge.key, other):
        assert (await edge.ask("GET", INFO, key=key)).status == 401


BROKEN = ["", "configs: {MAAS_AUTHPROXY_PARTNERS: null}"]


@pytest.mark.parametrize("text", BROKEN)
async def test_a_broken_file_changes_nothing_and_is_counted(edge: Any, text: str) -> None:
    refusals = Difference("dynconf_reload_errors_total")
    edge.partners.file.write_text(text)
    await _is_refused(refusals)
    assert (await edge.ask("GET", INFO)).status == 200
    assert (await edge.ask("GET", INFO, key="unknown.key")).status == 401
    new = edge.partners.add("vtb")
    await _becomes(edge, 200, new)


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(edge: Any) -> None:
    refusals = Difference("dynconf_reload_errors_total")
    edge.partners.file.unlink()
    await _is_refused(refusals)
    assert (await edge.ask("GET", INFO)).status == 200
    edge.partners.entries.clear()
    edge.partners.write()
    await _becomes(edge, 401)


async def test_follows_a_mounted_folder_that_is_swapped(edge: Any, tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link into a folder that is replaced as a whole."""
    file = edge.partners.file
    for number in (1, 2):
        version = tmp_path / f"version-{number}"
        version.mkdir()
        edge.partners.file = version / "dynamic.yaml"
        new = edge.partners.add("vtb")
        link = tmp_path / "next"
        link.symlink_to(edge.partners.file)
        os.replace(link, file)
        await _becomes(edge, 200, new)
