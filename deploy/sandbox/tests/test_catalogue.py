"""The station catalogue against what is known of the Moscow metro."""

import csv
import itertools
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from sandbox import catalogue

SNAPSHOT = Path(__file__).parents[4] / "shared" / "data" / "moscow_metro.csv"
STOPS = catalogue.load().stops
COUNTS = {
    "1": 27,
    "2": 24,
    "3": 22,
    "4": 13,
    "5": 12,
    "6": 24,
    "7": 23,
    "8": 8,
    "8A": 14,
    "9": 25,
    "10": 26,
    "11": 29,
    "12": 7,
    "14": 31,
    "15": 8,
    "16": 11,
    "17": 5,
}
RINGS = ("5", "11", "14")
# Where the stations of a line of the snapshot are today.
LINES = {
    "Сокольническая": {"1"},
    "Замоскворецкая": {"2"},
    "Арбатско-Покровская": {"3"},
    "Филевская": {"4"},
    "Кольцевая": {"5"},
    "Калужско-Рижская": {"6"},
    "Таганско-Краснопресненская": {"7"},
    "Калининская": {"8"},
    "Солнцевская": {"8A", "11", "17"},
    "Серпуховско-Тимирязевская": {"9"},
    "Люблинско-Дмитровская": {"10"},
    "Большая кольцевая линия": {"11", "17"},
    "Каховская": {"11"},
    "Бутовская": {"12"},
    "МЦК": {"14"},
    "Некрасовская": {"15"},
}

# The snapshot is of 2020-21: these stations have had another name since then.
RENAMED = {
    ("Сокольническая", "Коммунарка"): "Новомосковская",
    ("Филевская", "Выставочная"): "Деловой центр",
    ("Филевская", "Международная"): "Москва-Сити",
    ("МЦК", "Деловой центр"): "Москва-Сити",
}
# Here the snapshot gives a distant entrance or a rounded point; the catalogue gives the middle of the platform.
MISPLACED = {
    "Ховрино",
    "Прокшино",
    "Пятницкое шоссе",
    "Селигерская",
    "Сретенский бульвар",
    "Окружная",
    "Минская",
    "Ломоносовский проспект",
    "Раменки",
    "Юго-Восточная",
    "Окская",
    "Стахановская",
}


def number(stop: dict[str, Any]) -> str:
    return str(stop["lines"][0]["number"])


def on_line(wanted: str) -> list[dict[str, Any]]:
    return [stop for stop in STOPS if number(stop) == wanted]


def spelt(name: str) -> str:
    return name.strip().lower().replace("ё", "е").replace("им.", "имени ")


def distance_m(one: dict[str, float], other: dict[str, float]) -> float:
    lat1, lon1, lat2, lon2 = (math.radians(value) for point in (one, other) for value in (point["lat"], point["lon"]))
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(chord))


def test_has_every_station_of_every_line() -> None:
    assert Counter(number(stop) for stop in STOPS) == COUNTS
    assert len(STOPS) == 309


def test_repeats_no_id_and_no_station_on_a_line() -> None:
    assert len({stop["id"] for stop in STOPS}) == len(STOPS)
    assert len({(number(stop), stop["name"]) for stop in STOPS}) == len(STOPS)


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop["id"])
def test_writes_each_station_in_form(stop: dict[str, Any]) -> None:
    assert set(stop) == {"id", "name", "lines", "point"}
    assert re.fullmatch(rf"metro:{number(stop).lower()}:[a-z0-9]+(-[a-z0-9]+)*", stop["id"])
    assert re.fullmatch(r"[А-ЯЁ][А-Яа-яЁё0-9 -]*[А-Яа-яё]", stop["name"])
    assert re.fullmatch(r"#[0-9A-F]{6}", stop["lines"][0]["color"])
    assert 55.48 < stop["point"]["lat"] < 55.95
    assert 37.25 < stop["point"]["lon"] < 37.95


def test_gives_a_line_one_name_and_one_colour() -> None:
    lines = {(stop["lines"][0]["number"], stop["lines"][0]["name"], stop["lines"][0]["color"]) for stop in STOPS}
    assert len(lines) == len(COUNTS)


@pytest.mark.parametrize("line", COUNTS)
def test_puts_neighbours_on_a_line_near_each_other(line: str) -> None:
    stops = on_line(line)
    pairs = list(itertools.pairwise(stops)) + ([(stops[-1], stops[0])] if line in RINGS else [])
    for one, other in pairs:
        assert 300 < distance_m(one["point"], other["point"]) < 9_000, (one["id"], other["id"])


def test_puts_stations_of_one_name_near_each_other() -> None:
    by_name = defaultdict(list)
    for stop in STOPS:
        by_name[stop["name"]].append(stop)
    for namesakes in by_name.values():
        for one, other in itertools.combinations(namesakes, 2):
            assert distance_m(one["point"], other["point"]) < 700, (one["id"], other["id"])


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("1", {"Бульвар Рокоссовского", "Потапово"}),
        ("8A", {"Деловой центр", "Аэропорт Внуково"}),
        ("10", {"Физтех", "Зябликово"}),
        ("16", {"ЗИЛ", "Новомосковская"}),
        ("17", {"Деловой центр", "Бульвар Генерала Карбышева"}),
    ],
)
def test_ends_lines_where_they_end(line: str, ends: set[str]) -> None:
    stops = on_line(line)
    assert {stops[0]["name"], stops[-1]["name"]} == ends


def test_has_the_whole_big_circle() -> None:
    assert {"Мнёвники", "Терехово", "Зюзино", "Кленовый бульвар", "Лефортово", "Рижская", "Марьина Роща"} <= {
        stop["name"] for stop in on_line("11")
    }


def test_changes_its_version_with_its_content_only() -> None:
    assert catalogue.load().version == catalogue.load().version
    assert re.fullmatch(r"[0-9a-f]{40}", catalogue.load().version)


@pytest.mark.skipif(not SNAPSHOT.exists(), reason="the snapshot of 2020-21 is not here")
def test_agrees_with_the_older_snapshot() -> None:
    with SNAPSHOT.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["line"].startswith(("МЦД", "Монорельс"))]
    assert len(rows) > 230
    for row in rows:
        name = RENAMED.get((row["line"], row["name"].strip()), row["name"])
        point = {"lat": float(row["lat"]), "lon": float(row["lon"])}
        here = [stop for stop in STOPS if number(stop) in LINES[row["line"]] and spelt(stop["name"]) == spelt(name)]
        found = [distance_m(stop["point"], point) for stop in here]
        assert found, row
        assert min(found) <= (800 if name.strip() in MISPLACED else 250), row
