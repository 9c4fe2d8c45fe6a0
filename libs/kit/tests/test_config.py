import copy
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from kit import config


@dataclass(frozen=True)
class Settings:
    port: int
    dsn: config.Secret
    ratio: float = 0.5
    is_loud: bool = False
    folder: Path = Path("/tmp")
    endpoint: str | None = None
    partners: tuple[str, ...] = ()
    level: str = field(default="INFO", metadata={"help": "lowest level written"})

    def __post_init__(self) -> None:
        if self.port == 666:
            raise ValueError("port and conscience disagree")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("T_PORT", "8103")
    monkeypatch.setenv("T_DSN", "postgresql://app:hunter2@db/maas")
    return monkeypatch


def test_reads_every_type(env: pytest.MonkeyPatch) -> None:
    env.setenv("T_RATIO", "0.25")
    env.setenv("T_IS_LOUD", "true")
    env.setenv("T_FOLDER", "/srv")
    env.setenv("T_ENDPOINT", "http://otel")
    env.setenv("T_PARTNERS", "vtb, metro,")
    found = config.load(Settings, "T_")
    assert found == Settings(
        8103,
        config.Secret("postgresql://app:hunter2@db/maas"),
        0.25,
        True,
        Path("/srv"),
        "http://otel",
        ("vtb", "metro"),
    )


def test_takes_defaults(env: pytest.MonkeyPatch) -> None:
    found = config.load(Settings, "T_")
    assert (found.ratio, found.is_loud, found.endpoint, found.level) == (0.5, False, None, "INFO")


def test_takes_an_empty_optional_for_none(env: pytest.MonkeyPatch) -> None:
    env.setenv("T_ENDPOINT", "")
    assert config.load(Settings, "T_").endpoint is None


def test_tells_every_error_at_once_and_no_value(env: pytest.MonkeyPatch) -> None:
    env.setenv("T_PORT", "hunter2")
    env.delenv("T_DSN")
    env.setenv("T_RATIO", "")
    env.setenv("T_IS_LOUD", "perhaps")
    with pytest.raises(config.Broken) as broken:
        config.load(Settings, "T_")
    assert broken.value.errors == [
        "T_PORT: is not a whole number",
        "T_DSN: is not set",
        "T_RATIO: is empty",
        "T_IS_LOUD: is not true or false",
    ]
    assert "T_DSN: is not set" in str(broken.value)
    assert "hunter2" not in str(broken.value)


def test_tells_what_the_settings_say_together(env: pytest.MonkeyPatch) -> None:
    env.setenv("T_PORT", "666")
    with pytest.raises(config.Broken, match=r"T_\*: port and conscience disagree"):
        config.load(Settings, "T_")


def test_reads_a_value_from_a_file(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("from-file\n")
    env.delenv("T_DSN")
    env.setenv("T_DSN_FILE", str(tmp_path / "dsn"))
    assert config.load(Settings, "T_").dsn.reveal() == "from-file"


def test_tells_of_an_unreadable_file(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("T_PORT_FILE", str(tmp_path / "absent"))
    with pytest.raises(config.Broken, match=r"T_PORT: .*readable file"):
        config.load(Settings, "T_")


def test_names_unknown_variables(env: pytest.MonkeyPatch) -> None:
    env.setenv("T_PROT", "1")
    env.setenv("OTHER_PROT", "1")
    env.setenv("T_DSN_FILE", "")
    assert config.unknown(Settings, "T_") == ["T_PROT"]


def test_warns_of_unknown_variables(env: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    env.setenv("T_PROT", "1")
    config.load(Settings, "T_")
    line = orjson.loads(capfdbinary.readouterr().out)
    assert (line["event"], line["names"]) == ("config_unknown_variables", ["T_PROT"])


def test_refuses_a_type_that_is_not_of_settings() -> None:
    @dataclass(frozen=True)
    class Wrong:
        things: dict[str, str]

    with pytest.raises(TypeError, match=r"Wrong\.things"):
        config.load(Wrong, "T_")


def test_describes_the_variables() -> None:
    described = {variable.name: variable for variable in config.describe(Settings, "T_")}
    assert described["T_LEVEL"] == config.Variable("T_LEVEL", "a text", "INFO", "lowest level written")
    assert described["T_PORT"].default is None


def test_masks_a_secret_everywhere(env: pytest.MonkeyPatch) -> None:
    found = config.load(Settings, "T_")
    shown = [repr(found), str(found.dsn), f"{found.dsn}", f"{found.dsn:>80}", f"{found.dsn!r}", repr([found.dsn])]
    assert not any("hunter2" in text for text in shown)
    assert "hunter2" in found.dsn.reveal()


def test_does_not_serialise_a_secret() -> None:
    secret = config.Secret("hunter2")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        orjson.dumps({"dsn": secret})
    assert b"hunter2" not in orjson.dumps({"dsn": secret}, default=str)
    assert copy.deepcopy(secret) == secret


def test_compares_secrets() -> None:
    assert config.Secret("a") == config.Secret("a")
    assert config.Secret("a") != config.Secret("b")
    assert config.Secret("a") != "a"
    assert not config.Secret("")
