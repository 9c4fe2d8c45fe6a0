"""The API's description."""

from pathlib import Path

from kit import web
from maas_authproxy import app
from maas_authproxy.proxy import model


def test_description_is_fresh() -> None:
    kept = (Path(__file__).parents[1] / "openapi.yaml").read_text("utf-8")
    assert kept == web.monitor.as_yaml(app.SERVICE.openapi()), "make it anew: python -m maas_authproxy openapi"


def test_description_holds_the_table_and_nothing_else() -> None:
    described = {(path, tuple(found)) for path, found in app.SERVICE.openapi()["paths"].items()}
    assert described == {(way.path, tuple(method.lower() for method in way.methods)) for way in model.TABLE}
