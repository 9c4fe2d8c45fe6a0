import contextlib
from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import dynconf


class GeoSchema(ma.Schema):
    radius_m = ma.fields.Integer(required=True, strict=True)
    words = ma.fields.List(ma.fields.String())


ENABLED = dynconf.Value("PLUS_SERVICE_ENABLED", ma.fields.Boolean(), "Whether it works.")
GEO = dynconf.Value("MAAS_GEO", GeoSchema(), "Distances.", default={"radius_m": 300})
EXPERIMENT = dynconf.Experiment("new_button", GeoSchema(), "A button.")


def load(text: str) -> Any:
    return dynconf.load(text.encode(), "configs.yaml", [ENABLED, GEO], [EXPERIMENT])


def errors(text: str) -> list[str]:
    with pytest.raises(dynconf.Broken) as broken:
        load(text)
    assert str(broken.value).startswith("the dynamic config configs.yaml is unusable: ")
    return broken.value.errors


def test_loads_values_and_defaults() -> None:
    snapshot = load("configs: {PLUS_SERVICE_ENABLED: true}")
    assert snapshot.values == {"PLUS_SERVICE_ENABLED": True, "MAAS_GEO": {"radius_m": 300}}
    assert len(snapshot.version) == 12


def test_tells_every_mistake_with_its_line() -> None:
    text = """
configs:
  MAAS_GEO:
    radius_m: far
    words: [a, [b]]
  PLUS_SERVIS_ENABLED: true
experiments:
  new_button:
    - when: {percent: 101}
      value: {radius_m: 1}
    - value: {radius_m: 1, color: red}
    - wehn: {}
      value: {radius_m: 1}
  old_button: []
config: {}
"""
    assert errors(text) == [
        "line 6: configs.PLUS_SERVIS_ENABLED: is not declared by this service",
        "line 3: configs.PLUS_SERVICE_ENABLED: is missing",
        "line 4: configs.MAAS_GEO.radius_m: Not a valid integer.",
        "line 5: configs.MAAS_GEO.words[1]: Not a valid string.",
        "line 14: experiments.old_button: is not declared by this service",
        "line 9: experiments.new_button[0].when.percent: "
        "Must be greater than or equal to 0 and less than or equal to 100.",
        "line 11: experiments.new_button[1].value.color: Unknown field.",
        "line 12: experiments.new_button[2]: is not a clause of `when` and `value`",
        "line 15: config: is not known; there are configs and experiments",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "configs.PLUS_SERVICE_ENABLED: is missing"),
        ("[]", "it is not a mapping of configs and experiments"),
        ("configs: [1]", "line 1: configs: is not a mapping"),
        ("configs: {", "line 2: is not YAML: did not find expected"),
        ("configs: {A: 1, A: 2}", "line 1: configs.A is given twice"),
        ("configs: {}\nconfigs: {}", "line 2: configs is given twice"),
        ("configs: {? [a] : 1}", "line 1: configs has a key that is not a plain text"),
        ("configs: !!python/object/apply:os.system ['true']", "line 1: configs: is not a mapping"),
        ("configs: {A: !!python/name:os.system x}", "line 1: is not YAML"),
        ("configs: {A: !!float .inf}", "line 1: configs.A is not a plain value"),
        ("configs: {A: !!float .nan}", "line 1: configs.A is not a plain value"),
        ("configs: {A: &x [1], B: *x}", "line 1: repeats an anchor"),
        ("configs: {PLUS_SERVICE_ENABLED: perhaps}", "line 1: configs.PLUS_SERVICE_ENABLED: Not a valid boolean."),
        ("experiments: {new_button: {}}", "line 1: experiments.new_button: is not a list of clauses"),
        ("a: 1\n---\nb: 2", "line 2: is not YAML: but found another document"),
        ("\ud800", "it is not YAML in UTF-8"),
        ("#" * (1 << 20) + "\n", "it is larger than 1048576 bytes"),
        ("configs: {A: " + "[" * 100 + "]" * 100 + "}", "line 1: repeats an anchor or is nested too deeply"),
        ("[" * 100_000, "line 1: repeats an anchor or is nested too deeply"),
        ("{a: " * 100_000, "line 1: repeats an anchor or is nested too deeply"),
        ("- " * 100_000, "line 1: repeats an anchor or is nested too deeply"),
    ],
)
def test_refuses(text: str, error: str) -> None:
    with pytest.raises(dynconf.Broken) as broken:
        dynconf.load(text.encode("utf-8", "surrogatepass"), "configs.yaml", [ENABLED], [EXPERIMENT])
    assert any(told.startswith(error) for told in broken.value.errors), broken.value.errors


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1.20", 1.2),
        ("12", 12),
        ("-3", -3),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("'12'", "12"),
    ],
)
def test_reads_words_as_json_would(text: str, value: object) -> None:
    declared = dynconf.Value("A", ma.fields.Raw(allow_none=True), "Anything.")
    assert dynconf.load(f"configs: {{A: {text}}}".encode(), "x", [declared], []).values == {"A": value}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_survives_any_bytes(raw: bytes) -> None:
    with contextlib.suppress(dynconf.Broken):
        assert dynconf.load(raw, "x", [GEO], [EXPERIMENT]).values
