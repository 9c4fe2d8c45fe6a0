"""The salt of purchase tokens comes from the environment, and is never told."""

import dataclasses

import pytest

from kit import config as settings
from maas import config


def _loaded(monkeypatch: pytest.MonkeyPatch, salt: str | None) -> config.Config:
    for field in dataclasses.fields(config.Config):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            monkeypatch.setenv(f"MAAS_{field.name.upper()}", "1")
    if salt is None:
        monkeypatch.delenv("MAAS_TOKEN_SALT")
    else:
        monkeypatch.setenv("MAAS_TOKEN_SALT", salt)
    return settings.load(config.Config, "MAAS_")


def test_takes_a_salt_that_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = _loaded(monkeypatch, "sixteen letters!")
    assert loaded.token_salt.reveal() == "sixteen letters!"
    assert "sixteen" not in repr(loaded)


@pytest.mark.parametrize("salt", [None, "", "fifteen letters"])
def test_does_not_start_without_one(monkeypatch: pytest.MonkeyPatch, salt: str | None) -> None:
    with pytest.raises(settings.Broken) as broken:
        _loaded(monkeypatch, salt)
    assert "salt" in str(broken.value).lower()
    assert "fifteen" not in str(broken.value)
