"""What is counted and logged of every request."""

from kit import logs, metrics, scope
from kit.web import answers, routes

OTHER = "other"
"""The method of what is no request of a route, lest strangers make labels."""

REQUESTS = metrics.counter("http_requests_total", "Requests by route, method and status", ("route", "method", "status"))
REFUSALS = metrics.counter("http_refusals_total", "Refusals by route and code of the error form", ("route", "code"))
SECONDS = metrics.histogram("http_request_seconds", "Time from request to answer, by route", ("route",))
IN_FLIGHT = metrics.gauge("http_requests_in_flight", "Requests that are being answered on the API port")
WAITING = metrics.gauge("http_requests_waiting", "Requests on the API port that wait for something to happen")


def tell(method: str, answer: answers.Answer, route: routes.Route | None, here: scope.Scope, seconds: float) -> None:
    """Counts an answered request, and logs it unless its route spares that for its successes."""
    status = answer.status
    REQUESTS.labels(here.operation, method if route else OTHER, status).inc()
    SECONDS.labels(here.operation).observe(seconds)
    if answer.code:
        REFUSALS.labels(here.operation, answer.code).inc()
        logs.info("request", method=method, status=status, code=answer.code, ms=round(seconds * 1e3, 1))
    elif route is None or route.is_logged or status >= 400:
        logs.info("request", method=method, status=status, ms=round(seconds * 1e3, 1))
