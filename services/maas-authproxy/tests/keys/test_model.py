"""The judgement of a key."""

import datetime
import hashlib

import pytest

from kit import clock
from maas_authproxy.keys import model

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def _ring(made: model.NewKey, **times: datetime.datetime) -> model.Keyring:
    entry = {"not_before": None, "not_after": None} | dict(made.entry) | times
    return model.Keyring([{"partner": "vtb", "scopes": [], "keys": [entry], "networks": (), "limits": None}])


def test_hash_is_sha256_of_secret_and_key() -> None:
    made = model.new_key("vtb", secret="s")
    assert made.entry["hash"] == hashlib.sha256(f"s{made.text}".encode()).hexdigest()


@pytest.mark.parametrize(
    ("times", "is_good"),
    [
        ({}, True),
        ({"not_before": NOW}, True),
        ({"not_before": NOW + SECOND}, False),
        ({"not_after": NOW}, False),
        ({"not_after": NOW + SECOND}, True),
        ({"not_before": NOW - SECOND, "not_after": NOW + SECOND}, True),
    ],
)
def test_key_is_good_from_its_first_moment_to_its_last(times: dict[str, datetime.datetime], is_good: bool) -> None:
    made = model.new_key("vtb", secret="s")
    verdict = _ring(made, **times).judge(made.text, secret="s", now=NOW)
    assert (verdict.partner is not None) is is_good
    assert verdict.key_id == made.entry["key_id"]


@pytest.mark.parametrize("text", ["", ".", "..", "\0", "\ud800", "ключ.ключ", "x" * 100_000])
def test_judges_any_text(text: str) -> None:
    ring = _ring(model.new_key("vtb", secret="s"))
    assert ring.judge(text, secret="s", now=NOW) == model.Verdict(None, None)


def test_new_keys_differ_and_name_their_partner() -> None:
    made = [model.new_key("vtb", secret="s") for _ in range(100)]
    assert len({key.text for key in made}) == len({key.entry["key_id"] for key in made}) == 100
    assert all(key.text.startswith(f"{key.entry['key_id']}.") and len(key.text) > 43 for key in made)
    assert all(key.entry["key_id"].startswith("vtb-") for key in made)


def test_a_bounded_key_says_until_when() -> None:
    made = model.new_key("vtb", secret="s", not_after=NOW)
    assert made.entry["not_after"] == clock.to_wire(NOW)
