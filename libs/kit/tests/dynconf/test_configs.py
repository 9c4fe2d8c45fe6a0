import asyncio
import os
from pathlib import Path

import marshmallow as ma
import pytest

from kit import dynconf, metrics
from testkit import until

LEVEL = dynconf.Value("LEVEL", ma.fields.Integer(strict=True), "A number.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "configs.yaml"
    path.write_text("configs: {LEVEL: 1}")
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)


def refused() -> float:
    return metrics.value("dynconf_reload_errors_total")


def test_reads_the_document(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL])
    assert configs.get(LEVEL) == 1
    assert metrics.value("dynconf_version") == int(configs.version, 16)


@pytest.mark.parametrize("text", ["configs: {LEVEL: much}", "configs: {", "configs: {}"])
def test_does_not_start_on_a_broken_document(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(dynconf.Broken, match=rf"the dynamic config {path} is unusable: .*"):
        dynconf.Configs.open(path, [LEVEL])


def test_does_not_start_without_a_document(tmp_path: Path) -> None:
    with pytest.raises(dynconf.Broken, match=r"it can't be read \(No such file"):
        dynconf.Configs.open(tmp_path / "absent.yaml", [LEVEL])


def test_refuses_a_name_declared_twice(path: Path) -> None:
    with pytest.raises(ValueError, match="LEVEL is declared twice"):
        dynconf.Configs.open(path, [LEVEL, dynconf.Value("LEVEL", ma.fields.String(), "A text.")])
    dynconf.Configs.open(path, [LEVEL, LEVEL])


async def test_takes_a_new_version_into_force(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL])
    before = configs.version
    write(path, "configs: {LEVEL: 2}")
    assert await configs.refresh()
    assert configs.get(LEVEL) == 2
    assert configs.version != before
    assert not await configs.refresh()


async def test_does_not_take_the_same_content_for_a_new_version(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL])
    os.utime(path, ns=(1, 1))
    assert not await configs.refresh()


async def test_keeps_the_last_good_version(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL])
    count = refused()
    write(path, "configs: {LEVEL: broken}")
    assert not await configs.refresh()
    assert not await configs.refresh()
    assert configs.get(LEVEL) == 1
    assert refused() == count + 1
    write(path, "configs: {LEVEL: 3}")
    assert await configs.refresh()
    assert configs.get(LEVEL) == 3


async def test_counts_a_vanished_document_once(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL])
    count = refused()
    os.unlink(path)
    assert not await configs.refresh()
    assert not await configs.refresh()
    assert refused() == count + 1
    write(path, "configs: {LEVEL: 4}")
    assert await configs.refresh()
    assert configs.get(LEVEL) == 4


def test_sees_the_swap_of_a_mounted_config_map(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / f"..version{number}"
        folder.mkdir()
        (folder / "configs.yaml").write_text(f"configs: {{LEVEL: {number}}}")
        os.utime(folder / "configs.yaml", ns=(1, 1))
    (tmp_path / "..data").symlink_to("..version1")
    (tmp_path / "configs.yaml").symlink_to("..data/configs.yaml")
    configs = dynconf.Configs.open(tmp_path / "configs.yaml", [LEVEL])

    (tmp_path / "..new").symlink_to("..version2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert asyncio.run(configs.refresh())
    assert configs.get(LEVEL) == 2


async def test_looks_by_itself_until_it_is_closed(path: Path) -> None:
    configs = dynconf.Configs.open(path, [LEVEL], period_s=0.01)
    await configs.start()
    await configs.start()
    write(path, "configs: {LEVEL: bad}")
    count = refused()
    await until(lambda: refused() > count or configs.get(LEVEL) != 1)
    write(path, "configs: {LEVEL: 5}")
    await until(lambda: configs.get(LEVEL) == 5)
    await configs.close()
    await configs.close()
