"""The pages of the bank as HTML: whole in one answer, readable without scripts, on a phone and aloud."""

import base64
import hashlib
import html
import importlib.resources
import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox import state
from sandbox.bank import tariffs, words

_DATA = importlib.resources.files("sandbox").joinpath("data")
_TEMPLATE = string.Template(_DATA.joinpath("webview.html").read_text("utf-8"))
_STYLE = _DATA.joinpath("webview.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}
_TONES = {"activated": "good", "processing": "wait", "refunded": "wait"}
_RESULTS = {"activated": "success", "processing": "processing", "canceled": "canceled"}
_ICON = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"{kind}><path d="{path}"/></svg>'
)
_METRO = "M3 18h4l3-9 2 5 2-5 3 9h4"
_TAXI = "M5 17v2M19 17v2M4 12l2-6h12l2 6v5H4zM7.5 14.5h.01M16.5 14.5h.01"
_CALENDAR = "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4"
_CARD = "M3 6h18v12H3zM3 10h18M7 15h4"
_SIGNS = {
    "good": "M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20M7.5 12.5l3 3 6-6.5",
    "bad": "M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20M12 7v6M12 16.5v.01",
    "wait": "M12 2a10 10 0 1 0 10 10",
}


def shop(language: str, tariff: Mapping[str, Any], kept: Mapping[str, str]) -> web.Response:
    """What is sold, and the buttons; `kept` goes on with the form."""
    price = words.amount(language, tariff["price"])
    promises = (
        (_METRO, words.say(language, "Trips by metro")),
        (_TAXI, words.rides(language, tariff["taxi_rides"])),
        (_CALENDAR, words.days(language, tariff["duration_days"])),
    )
    listed = "".join(f"<li>{_icon(icon)}{_text(promise)}</li>" for icon, promise in promises)
    hidden = "".join(
        f'<input type="hidden" name="{_text(name)}" value="{_text(value)}">' for name, value in kept.items()
    )
    saved = f"{_said(language, 'Card •• 4242')}<small>{_said(language, 'saved in the bank')}</small>"
    content = f"""<h1>{_said(language, "Metro and taxi subscription")}</h1>
<p class="price">{_text(price)}</p>
<ul class="what">{listed}</ul>
<p class="card">{_icon(_CARD)}<span>{saved}</span></p>
<form method="post" action="/vtb/webview">{hidden}
<button class="button" name="choice" value="pay">{_said(language, "Pay {price}", price=price)}</button>
<button class="button other" name="choice" value="decline">{_said(language, "Pay with a card that is refused")}</button>
<button class="button bare" name="choice" value="cancel">{_said(language, "Cancel")}</button>
</form>"""
    return _page(language, words.say(language, "Payment"), content)


def outcome(language: str, sale: state.Sale) -> web.Response:
    """How a purchase ended; while it has not, the page looks again by itself."""
    kind = "processing" if sale.owed in ("reserve", "activate") else sale.status
    title, text = (words.say(language, part) for part in words.OUTCOMES[kind])
    why = f"{words.refusal(language, sale.refused)} {text}" if sale.refused else text
    facts = _facts(language, sale)
    return _notice(language, kind, title, why, facts, {"pass_id": sale.pass_id})


def canceled(language: str) -> web.Response:
    """The person has changed their mind before anything was done."""
    title, text = (words.say(language, part) for part in words.OUTCOMES["canceled"])
    return _notice(language, "canceled", title, text, "", {})


def trouble(language: str, status: int, code: str) -> web.Response:
    """Why there is no page, in a sentence."""
    title = words.say(language, "The page cannot be shown")
    return _notice(language, code, title, words.refusal(language, code), "", {}, status)


def _notice(
    language: str, kind: str, title: str, text: str, facts: str, back: Mapping[str, str], status: int = 200
) -> web.Response:
    tone = _TONES.get(kind, "bad")
    link = "yandextaxi://maas/purchase?" + urlencode({"result": _RESULTS.get(kind, "failure"), **back})
    sign = _icon(_SIGNS[tone], ' class="sign"')
    more = f'<a class="button other" href="">{_said(language, "Refresh")}</a>' if kind == "processing" else ""
    content = f"""<div class="{tone}" role="status">{sign}<h1>{_text(title)}</h1>
<p>{_text(text)}</p></div>
{facts}{more}<a class="button" href="{_text(link)}">{_said(language, "Back to the app")}</a>"""
    return _page(language, title, content, status, looks_again=kind == "processing")


def _facts(language: str, sale: state.Sale) -> str:
    tariff = tariffs.find(sale.tariff_id)
    price = "" if tariff is None else words.amount(language, tariff["price"])
    pairs = (("Tariff", sale.tariff_id), ("Price", price), ("Number", sale.pass_id))
    rows = "".join(f"<div><dt>{_said(language, name)}</dt><dd>{_text(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>'


def _page(language: str, title: str, content: str, status: int = 200, *, looks_again: bool = False) -> web.Response:
    text = _TEMPLATE.substitute(
        language=language,
        again='<meta http-equiv="refresh" content="2">\n' if looks_again else "",
        title=_text(title),
        style=_STYLE,
        bank=_said(language, "VTB"),
        demo=_said(language, "demonstration"),
        content=content,
        fine_print=_said(language, "This bank is played: no money is moved and no card is asked for."),
    )
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=_HEADERS)


def _icon(path: str, kind: str = "") -> str:
    return _ICON.format(path=path, kind=kind)


def _said(language: str, text: str, **args: str) -> str:
    return _text(words.say(language, text, **args))


def _text(value: str) -> str:
    return html.escape(value, quote=True)
