"""Short checks of who gets in and what gets through; like `checks`, each must fail when its fault is planted."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from chaos.maas.checks import Overheard
from chaos.weather import Gated
from local_stack import Stack
from testkit.waiting import until

_IDENTITY = {
    "X-Yandex-UID": "4000000001",
    "X-YaTaxi-UserId": "somebody",
    "X-YaTaxi-User": "personal_phone_id=somebodys",
    "X-YaTaxi-Pass-Flags": "portal",
}
_PARTNERS = "MAAS_AUTHPROXY_PARTNERS"


async def no_identity_from_outside(gated: Gated) -> None:
    """What a stranger says of who he is never reaches maas (no identity header passes the edge)."""
    mark = secrets.token_hex(6)
    heard = Overheard()
    gated.api.reset()  # what is kept open was not heard from its start
    gated.api.cut_at_message(1_000_000, heard)
    try:
        headers = {name: f"{value}{mark}" for name, value in _IDENTITY.items()}
        await _edge(gated, "GET", "/subscription/status?pass_id=nobodys", headers)
    finally:
        gated.api.let_through()
    asked = bytes(heard.asked)
    assert b"/maas/v1/subscription/status" in asked
    assert mark.encode() not in asked


async def identity_from_the_gateway_alone(gated: Gated) -> None:
    """A passenger's route answers to nobody but the gateway, whatever headers a caller brings."""
    for caller in ("products", "processing", "maas-authproxy"):
        status = await _maas(gated, caller, "GET", "/4.0/maas/v1/subscription/info", _IDENTITY)
        assert status == 403, f"{caller} got {status}"


async def doubtful_json_is_refused(gated: Gated) -> None:
    """A body that two readers would read differently is not read at all."""
    body = b'{"pass_id": "pass-one", "pass_id": "pass-two"}'
    headers = {"Content-Type": "application/json"}
    assert await _maas(gated, "maas-authproxy", "POST", "/maas/v1/subscription/activate", headers, body) == 400


async def expired_key_is_refused(gated: Gated) -> None:
    """A key whose time is over opens nothing, a few seconds after the config says so."""
    assert await _edge(gated, "GET", "/subscription/status?pass_id=nobodys") == 404
    with _config(gated.stage.stack) as config:
        for partner in config["configs"][_PARTNERS]:
            for key in partner["keys"]:
                key["not_after"] = "2020-01-01T00:00:00+00:00"
        _save(gated.stage.stack, config)
        await until(lambda: _answers(gated, 401), timeout_s=5, period_s=0.1)
    await until(lambda: _answers(gated, 404), timeout_s=5, period_s=0.1)


async def _answers(gated: Gated, status: int) -> bool:
    return await _edge(gated, "GET", "/subscription/status?pass_id=nobodys") == status


async def _edge(gated: Gated, method: str, path: str, headers: Mapping[str, str] | None = None) -> int:
    world = gated.stage.world
    url = f"{world.url('maas-authproxy')}/maas-authproxy/v1{path}"
    key = {"X-API-Key": world.stack["api_keys"]["vtb"]}
    return (await world.ask(method, url, None, {**(headers or {}), **key}, patient=False)).status


async def _maas(
    gated: Gated, caller: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> int:
    world = gated.stage.world
    ticket = {"X-Ya-Service-Ticket": world.stack["tickets"][caller]}
    async with world.http.request(method, gated.url + path, data=body, headers={**headers, **ticket}) as response:
        return response.status


@contextmanager
def _config(stack: Stack) -> Iterator[dict[str, Any]]:
    """The edge's config, which is put back in the end."""
    file = _file(stack)
    usual = file.read_text("utf-8")
    try:
        yield yaml.safe_load(usual)
    finally:
        file.write_text(usual, "utf-8")


def _save(stack: Stack, config: Mapping[str, Any]) -> None:
    _file(stack).write_text(yaml.safe_dump(dict(config)), "utf-8")


def _file(stack: Stack) -> Path:
    return Path(stack.folder / "config/maas-authproxy.yaml")
