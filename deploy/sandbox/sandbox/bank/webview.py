"""VTB's WebView: the page that the app opens to pay for a subscription (MA-57), and how the purchase ended."""

from typing import Any

from aiohttp import web

from sandbox import fields, languages, wire, world
from sandbox.bank import page, sales, tariffs


class Offer(fields.Strict):
    """`GET /webview`: what the app opens the page with."""

    maas_user_id = fields.opaque(required=True)
    tariff_id = fields.opaque(required=True)
    user_token = fields.opaque(required=True)


class Choice(Offer):
    """`POST /webview`: the page's form."""

    choice = fields.Text("pay|decline|cancel", required=True)


class Result(fields.Strict):
    """`GET /webview/result`."""

    pass_id = fields.opaque(required=True)


class Sales(fields.Strict):
    """`GET /_sales`."""

    maas_user_id = fields.opaque()


async def show(here: world.World, call: wire.Call) -> Any:
    """The tariff and the buttons; when this token has bought something already, how that ended."""
    asked = call.query
    sale = here.store.state.sales.get(sales.pass_of(asked["user_token"]))
    if sale is not None:
        return _to_result(sale.pass_id)
    return page.shop(languages.of(call.headers), _tariff(asked["tariff_id"]), asked)


async def choose(here: world.World, call: wire.Call) -> Any:
    """Pays by a good or by a refused card, or not at all; then shows how it ended, and may be sent twice."""
    asked = dict(call.body)
    choice = asked.pop("choice")
    _tariff(asked["tariff_id"])
    if choice == "cancel" and sales.pass_of(asked["user_token"]) not in here.store.state.sales:
        return page.canceled(languages.of(call.headers))
    if not here.services.is_partner(sales.PARTNER):
        raise wire.Refused(503, "payments_unavailable")
    sale = await sales.buy(here, card="good" if choice == "pay" else "bad", **asked)
    return _to_result(sale.pass_id)


async def result(here: world.World, call: wire.Call) -> Any:
    """How a purchase ended, or that it has not yet."""
    sale = here.store.state.sales.get(call.query["pass_id"])
    if sale is None:
        raise wire.Refused(404, "sale_not_found")
    return page.outcome(languages.of(call.headers), sale)


async def sold(here: world.World, call: wire.Call) -> Any:
    """What was sold through the page, to one person or all, oldest first; never the tokens."""
    wanted = call.query.get("maas_user_id")
    found = here.store.state.sales.values()
    shown = ("pass_id", "maas_user_id", "tariff_id", "card", "made_at", "status", "owed", "refused")
    return {
        "sales": [
            {name: getattr(sale, name) for name in shown} for sale in found if wanted in (None, sale.maas_user_id)
        ]
    }


def _tariff(tariff_id: str) -> dict[str, Any]:
    found = tariffs.find(tariff_id)
    if found is None:
        raise wire.Refused(404, "tariff_not_found")
    return found


def _to_result(pass_id: str) -> web.Response:
    # 303, so that going back or reloading sends no form again.
    return web.Response(status=303, headers={"Location": f"/vtb/webview/result?pass_id={pass_id}"})


def _refuse(request: web.Request, refusal: wire.Refused) -> web.Response:
    return page.trouble(languages.of(request.headers), refusal.status, refusal.code)


ROUTES = (
    wire.Route("GET", "/webview", show, query=Offer(), refuse=_refuse),
    wire.Route("POST", "/webview", choose, body=Choice(), is_form=True, refuse=_refuse),
    wire.Route("GET", "/webview/result", result, query=Result(), refuse=_refuse),
    wire.Route("GET", "/_sales", sold, query=Sales()),
)
