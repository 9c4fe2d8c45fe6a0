"""Partners, keys and requests of the tests."""

import datetime
from pathlib import Path
from typing import Any

import yaml

from maas_authproxy.config import Scope
from maas_authproxy.keys import model

SECRET = "a secret of the tests"
ALL = tuple(Scope)
SALE = {
    "pass_id": "pass-1",
    "maas_user_id": "person-1",
    "tariff": {"tariff_id": "t", "price": {"amount": "1.00", "currency": "RUB"}, "taxi_rides": 1, "duration_days": 1},
}


class Partners:
    """The dynamic config of a test: partners come and go, and the file says so."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.entries: list[dict[str, Any]] = []
        self.more: dict[str, Any] = {}
        self.write()

    def write(self) -> None:
        """Puts everything into the file."""
        qos = {"default": {"timeout_ms": 2000, "attempts": 2}}
        configs = {"MAAS_AUTHPROXY_PARTNERS": self.entries, "CLIENT_QOS": qos} | self.more
        self.file.write_text(yaml.safe_dump({"configs": configs}))

    def add(
        self, name: str, scopes: tuple[str, ...] = ALL, *, secret: str = SECRET, **bounds: datetime.datetime
    ) -> str:
        """A key of a partner who may have some already."""
        made = model.new_key(name, secret=secret)
        times = {bound: moment.isoformat() for bound, moment in bounds.items()}
        found = next((entry for entry in self.entries if entry["partner"] == name), None)
        if found is None:
            found = {"partner": name, "scopes": [str(scope) for scope in scopes], "keys": []}
            self.entries.append(found)
        found["keys"].append(dict(made.entry) | times)
        self.write()
        return made.text

    def set(self, **more: Any) -> None:
        """Sets other values of the config."""
        self.more |= more
        self.write()
