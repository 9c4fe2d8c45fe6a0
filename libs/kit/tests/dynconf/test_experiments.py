from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest
import yaml

from kit import dynconf
from kit.dynconf import declarations

BUTTON = dynconf.Experiment("button", ma.fields.String(), "A button.")


def configs(tmp_path: Path, clauses: list[dict[str, Any]]) -> dynconf.Configs:
    path = tmp_path / "configs.yaml"
    path.write_text(yaml.safe_dump({"experiments": {"button": clauses}}))
    return dynconf.Configs.open(path, [], [BUTTON])


@pytest.mark.parametrize(
    ("when", "arguments", "matches"),
    [
        ({}, {}, True),
        (None, {}, True),
        ({"uid": [4000, "4001"]}, {"uid": "4000"}, True),
        ({"uid": [4000, "4001"]}, {"uid": "4002"}, False),
        ({"uid": [4000]}, {}, False),
        ({"uid": ["None"]}, {}, False),
        ({"phone_id": ["a"]}, {"phone_id": "a"}, True),
        ({"application": ["iphone"]}, {"application": "android"}, False),
        ({"city": ["moscow"]}, {"city": "moscow"}, True),
        ({"flags": ["ya-plus", "portal"]}, {"flags": frozenset({"portal"})}, True),
        ({"flags": ["ya-plus"]}, {"flags": ["phonish"]}, False),
        ({"flags": ["ya-plus"]}, {}, False),
        ({"uid": ["1"], "city": ["moscow"]}, {"uid": "1", "city": "moscow"}, True),
        ({"uid": ["1"], "city": ["moscow"]}, {"uid": "1", "city": "kazan"}, False),
        ({"version": ">=1.2"}, {"version": "1.10"}, True),
        ({"version": ">=1.2"}, {"version": "1.2.0"}, True),
        ({"version": ">1.2"}, {"version": "1.2.0"}, False),
        ({"version": ">=1.2,<2"}, {"version": "1.99.7"}, True),
        ({"version": ">=1.2,<2"}, {"version": "2.0"}, False),
        ({"version": "==1.2"}, {"version": "1.2"}, True),
        ({"version": "<=1.2"}, {"version": "1.2.1"}, False),
        ({"version": ">=1.2"}, {"version": "newest"}, False),
        ({"version": ">=1.2"}, {}, False),
        ({"percent": 100}, {"uid": "1"}, True),
        ({"percent": 0}, {"uid": "1"}, False),
        ({"percent": 100}, {}, False),
        ({"percent": 100, "by": "phone_id"}, {"uid": "1"}, False),
        ({"percent": 100, "by": "phone_id"}, {"phone_id": "1"}, True),
    ],
)
def test_matches(tmp_path: Path, when: dict[str, Any] | None, arguments: dict[str, Any], matches: bool) -> None:
    found = configs(tmp_path, [{"when": when, "value": "red"}]).experiment(BUTTON, **arguments)
    assert found == ("red" if matches else None)


def test_takes_the_first_clause_that_matches(tmp_path: Path) -> None:
    found = configs(tmp_path, [{"when": {"uid": ["1"]}, "value": "red"}, {"value": "green"}, {"value": "blue"}])
    assert found.experiment(BUTTON, uid="1") == "red"
    assert found.experiment(BUTTON, uid="2") == "green"


def test_is_off_where_the_document_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "configs.yaml"
    path.write_text("{}")
    assert dynconf.Configs.open(path, [], [BUTTON]).experiment(BUTTON, uid="1") is None


def test_refuses_to_tell_of_an_undeclared_experiment(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        configs(tmp_path, []).experiment(dynconf.Experiment("other", ma.fields.String(), "Other."), uid="1")


@pytest.mark.parametrize(
    "when",
    [
        {"uid": "1"},
        {"uid": []},
        {"uid": [1.5]},
        {"uid": [True]},
        {"version": "1.2"},
        {"version": 1.2},
        {"version": ">=1.2 <2"},
        {"percent": -1},
        {"percent": "all"},
        {"by": "uid"},
        {"salt": "x"},
        {"percent": 1, "by": "mood"},
        {"user": ["1"]},
        ["uid"],
    ],
)
def test_refuses_conditions_that_make_no_sense(tmp_path: Path, when: Any) -> None:
    with pytest.raises(dynconf.Broken, match=r"line \d+: experiments\.button\[0\]\.when"):
        configs(tmp_path, [{"when": when, "value": "red"}])


def test_gives_an_even_and_lasting_share() -> None:
    people = [str(4_000_000 + number) for number in range(5000)]
    inside = {who for who in people if declarations.share("salt", who) < 10}
    assert 400 < len(inside) < 600
    assert inside == {who for who in people if declarations.share("salt", who) < 10}
    # A wider share keeps those who were in it, another salt draws anew.
    assert inside < {who for who in people if declarations.share("salt", who) < 20}
    others = {who for who in people if declarations.share("other", who) < 10}
    assert len(inside & others) < 100


def test_knows_a_share_for_ever() -> None:
    # People must not change sides because of a release: these numbers are a promise.
    assert declarations.share("button", "4000") == pytest.approx(16.976345)
    assert declarations.share("button", "4001") == pytest.approx(24.940227)
