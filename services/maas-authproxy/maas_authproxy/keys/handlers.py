"""Where keys come in: `X-API-Key`, checked before anything else is read."""

import ipaddress
from typing import NoReturn

from kit import scope, web
from maas_authproxy.audit import actions as audit
from maas_authproxy.context import Context
from maas_authproxy.keys import actions, model
from maas_authproxy.limits import actions as limits
from maas_authproxy.limits.model import RateLimitExceeded

HEADER = "X-API-Key"
FORWARDED = "X-Forwarded-For"


def authenticator(ctx: Context) -> web.api.Authenticator:
    """Names the partner of a request; who is refused here is recorded as well, since no handler will see it.

    What a rate refuses is counted and not recorded, so that a flood fills no trail. A good key is let in from an
    address that is told to wait: keys are too long to be guessed, and others may share the address.
    """
    proxies = tuple(ipaddress.ip_network(text) for text in ctx.config.trusted_proxies)
    gate = actions.Gate(ctx.config.key_secret, ctx.dynamic)
    limiter = limits.Limiter(ctx.dynamic)

    def authenticate(request: web.Request) -> str:
        visit = gate.let_in(request.headers.get(HEADER, ""))
        partner = visit.partner
        if partner is None or partner.networks:
            peer = request.remote or ""
            client = model.client_of(peer, request.headers.get(FORWARDED), proxies)
            if partner is None or not partner.may_come_from(client):
                limiter.count_failure(web.limits.client_at(str(client or peer)))
                _refuse(ctx, visit, request.method)
        return _counted(limiter, partner, request)

    return authenticate


def _refuse(ctx: Context, visit: actions.Visit, method: str) -> NoReturn:
    here = scope.current()
    with audit.recorded(ctx.trail.note, visit.who, method=method, route=here.operation if here else ""):
        raise model.ApiKeyInvalid if visit.partner is None else model.AddressNotAllowed


def _counted(limiter: limits.Limiter, partner: model.Partner, request: web.Request) -> str:
    standing = limiter.count(partner.name, partner.rate)
    request.promise(standing.headers)
    if standing.wait_s:
        raise RateLimitExceeded(retry_after_s=round(standing.wait_s, 3))
    return partner.name
