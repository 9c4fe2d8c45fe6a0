"""How a neighbour is declared, and how its requests are read and answered; it leans on nothing that it checks."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import marshmallow as ma
from aiohttp import web
from multidict import MultiMapping

if TYPE_CHECKING:
    from sandbox.world import World

MAX_BODY = 1 << 18
TICKET = "X-Ya-Service-Ticket"
API_KEY = "X-API-Key"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class ContractViolation(Exception):
    """The request is not what the contract says; `reasons` by field."""

    def __init__(self, reasons: Mapping[str, Any]) -> None:
        super().__init__("contract violation")
        self.reasons = dict(reasons)


class Refused(Exception):
    """The neighbour says no, as it truthfully would."""

    def __init__(self, status: int, code: str, message: str = "", **details: Any) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code.replace("_", " ").capitalize() + "."
        self.details = details


@dataclass(frozen=True, slots=True)
class Call:
    """One request that kept its contract: `body` and `query` as loaded by the route's schemas."""

    body: Any
    query: Mapping[str, Any]
    path: Mapping[str, str]
    headers: MultiMapping[str]
    raw: web.Request


Handler = Callable[["World", Call], Awaitable[Any]]
Refuse = Callable[[web.Request, Refused], web.Response]


def refuse(request: web.Request, refusal: Refused) -> web.Response:
    """A refusal in the error form."""
    return error(refusal.status, refusal.code, refusal.message, refusal.details)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. Without `callers` no ticket is asked for: it is the operators' or the demo's own door.

    `is_proxy` takes any body and query as they are; with `may_be_empty` no body is the same as `{}`; `is_form` takes
    what a page's form sends. `refuse` says how refusals look: a page that a person opens says them in words.
    """

    method: str
    path: str
    handle: Handler
    body: ma.Schema | None = None
    query: ma.Schema | None = None
    callers: tuple[str, ...] = ()
    is_proxy: bool = False
    may_be_empty: bool = False
    is_form: bool = False
    refuse: Refuse = refuse


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A service of the world under its prefix; `refusal` is what the fault `refuse` answers.

    `is_behind_gateway`: its prefix is the gateway's, which says what no route takes.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    refusal: tuple[int, str] = field(default=(409, "refused"))
    is_behind_gateway: bool = False


def answer(payload: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.json_response(payload, status=status, headers=headers, dumps=_dumps)


def error(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> web.Response:
    """The one error form; 429 and 503 carry Retry-After."""
    payload: dict[str, Any] = {"code": code, "message": message}
    if details:
        payload["details"] = dict(details)
    return answer(payload, status, {"Retry-After": "1"} if status in (429, 503) else None)


def violated(reasons: Mapping[str, Any]) -> Refused:
    """What a request hears that breaks the contract."""
    return Refused(400, "contract_violation", "The request breaks the contract.", fields=reasons)


def load(route: Route, request: web.Request, raw: bytes) -> Call:
    """What the handler gets; ContractViolation names everything that is wrong with the request."""
    reasons: dict[str, Any] = {}
    body = _load_body(route, request, raw, reasons)
    query = _load_query(route, request, reasons)
    if reasons:
        raise ContractViolation(reasons)
    return Call(body=body, query=query, path=dict(request.match_info), headers=request.headers, raw=request)


def parse(raw: bytes) -> Any:
    """The value of a JSON text; ContractViolation for anything else, repeated keys and NaN included."""
    try:
        return json.loads(raw, object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except (ValueError, RecursionError) as failure:
        raise ContractViolation({"body": [f"not JSON: {type(failure).__name__}"]}) from None


def parse_form(raw: bytes) -> dict[str, str]:
    """The fields of a form; ContractViolation for repeated ones and for what is not a form in UTF-8."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
        return _unrepeated(pairs)
    except ValueError as failure:
        raise ContractViolation({"body": [f"not a form: {type(failure).__name__}"]}) from None


def _load_body(route: Route, request: web.Request, raw: bytes, reasons: dict[str, Any]) -> Any:
    if route.is_proxy:
        return raw
    if route.body is None:
        if raw:
            reasons["body"] = ["no body is expected"]
        return None
    if not raw and route.may_be_empty:
        return route.body.load({})
    kind, read = (_FORM, parse_form) if route.is_form else (_JSON, parse)
    if request.content_type != kind:
        reasons["Content-Type"] = [f"not {kind}"]
    try:
        return route.body.load(read(raw))
    except ma.ValidationError as failure:
        reasons["body"] = failure.messages
    except ContractViolation as failure:
        reasons.update(failure.reasons)
    return None


def _load_query(route: Route, request: web.Request, reasons: dict[str, Any]) -> Mapping[str, Any]:
    found = dict(request.query)
    if route.is_proxy:
        return found
    if len(found) != len(request.query):
        reasons["query"] = ["a repeated key"]
    elif route.query is None:
        if found:
            reasons["query"] = {key: ["Unknown field."] for key in found}
    else:
        try:
            loaded: dict[str, Any] = route.query.load(found)
            return loaded
        except ma.ValidationError as failure:
            reasons["query"] = failure.messages
    return found


def _dumps(payload: Any) -> str:
    return json.dumps(payload, ensure_ascii=False)


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
