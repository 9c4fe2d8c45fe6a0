"""How near to a station is near enough, station by station (MA-87, MA-90)."""

from pathlib import Path
from typing import Any

import pytest

CONFIG = Path(__file__).parents[4] / "deploy/local/config/maas.yaml"
OWN = "{metro:sokolnicheskaya:park-kultury: 30, metro:sokolnicheskaya:sportivnaya: 900}"
FAR_FROM_ALL = {"lat": 55.740000, "lon": 37.570000}
# Metres from the centre of Park Kultury, due north, and from Sportivnaya, due south.
NEAR_PARK = {m: {"lat": 55.735150 + m / 111_195, "lon": 37.593030} for m in (20, 100)}
NEAR_SPORTIVNAYA = {m: {"lat": 55.722388 - m / 111_195, "lon": 37.562041} for m in (890, 910)}


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """The usual config, with a radius of their own for two stations."""
    usual = CONFIG.read_text("utf-8")
    assert usual.count("    zone_m: 5000\n") == 1
    changed = tmp_path / "maas.yaml"
    changed.write_text(usual.replace("    zone_m: 5000\n", f"    zone_m: 5000\n    station_radius_by_id_m: {OWN}\n"))
    return changed


@pytest.mark.parametrize(
    ("end", "is_near"),
    [
        (NEAR_PARK[20], True),
        (NEAR_PARK[100], False),
        (NEAR_SPORTIVNAYA[890], True),
        (NEAR_SPORTIVNAYA[910], False),
    ],
)
async def test_gives_a_station_its_own_radius(world: Any, end: dict[str, float], *, is_near: bool) -> None:
    await world.stations_loaded()
    await world.with_promocode()
    trip = world.trip(route={"a": FAR_FROM_ALL, "b": end, "intermediate": []})
    body = {"promocode": "METRO-PASS-1", "yandex_uid": "4001", "stage": "offer"} | trip
    verdict = (await world.maas.ask("coupons", "POST", "/maas/v1/check-promocode", body)).body
    assert (verdict["valid"], verdict.get("code")) == (is_near, None if is_near else "not_near_metro")
