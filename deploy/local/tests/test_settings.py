from pathlib import Path

import pytest

from local_stack import folder, services, settings


@pytest.fixture
def addresses() -> settings.Addresses:
    return settings.Addresses(ports={"sandbox": 28123}, databases={}, rabbitmq="")


def test_names_the_pages_of_the_sandbox_by_the_port_it_has(tmp_path: Path, addresses: settings.Addresses) -> None:
    run = folder.Folder(tmp_path)
    for service in services.SERVICES:
        settings.copy_config(service, run, addresses)
    default = (settings.DEFAULT_CONFIGS / "maas.yaml").read_text("utf-8")
    copied = (run / "config/maas.yaml").read_text("utf-8")
    assert copied.replace("127.0.0.1:28123/", f"127.0.0.1:{services.SANDBOX_PORT}/") == default
    assert copied.count("127.0.0.1:28123/") == default.count(f"127.0.0.1:{services.SANDBOX_PORT}/") > 0


def test_gives_a_service_without_defaults_an_empty_config(tmp_path: Path, addresses: settings.Addresses) -> None:
    run = folder.Folder(tmp_path)
    settings.copy_config(services.Service(name="new", api_port=1, monitor_port=2), run, addresses)
    assert (run / "config/new.yaml").read_text("utf-8") == "configs: {}\n"
