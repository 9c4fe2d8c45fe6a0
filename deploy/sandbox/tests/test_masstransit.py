"""masstransit: the stations, with a version."""

from typing import Any

import pytest


async def test_serves_all_stations_with_their_version(sandbox: Any) -> None:
    answer = await sandbox.ok("GET", "/masstransit/v2/stops?type=metro")
    assert answer["version"] == sandbox.world.stations.version
    assert len(answer["stops"]) == len(sandbox.world.stations.stops) > 300
    assert set(answer["stops"][0]) == {"id", "name", "lines", "point"}


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"'])
async def test_says_nothing_new_to_who_has_the_version(sandbox: Any, form: str) -> None:
    headers = {"If-None-Match": form.format(sandbox.world.stations.version)}
    assert await sandbox.call("GET", "/masstransit/v2/stops?type=metro", headers=headers) == (304, None)


async def test_answers_an_old_version_in_full(sandbox: Any) -> None:
    headers = {"If-None-Match": '"old"'}
    assert (await sandbox.call("GET", "/masstransit/v2/stops?type=metro", headers=headers))[0] == 200


async def test_plays_the_metro_only(sandbox: Any) -> None:
    status, answer = await sandbox.call("GET", "/masstransit/v2/stops?type=bus")
    assert (status, answer["code"]) == (400, "contract_violation")
