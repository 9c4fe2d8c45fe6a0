"""The messages of refusals."""

from typing import Any

from kit import texts
from maas_authproxy.keys import model as keys
from maas_authproxy.limits import model as limits
from maas_authproxy.proxy import model as proxy

REFUSALS = (
    keys.ApiKeyInvalid,
    keys.AddressNotAllowed,
    keys.ScopeMissing,
    limits.RateLimitExceeded,
    proxy.ServiceUnavailable,
    proxy.ServiceTimeout,
    proxy.ServiceFailed,
)


def test_every_refusal_is_said_in_russian() -> None:
    catalogue = texts.Catalogue("maas_authproxy")
    messages = [refusal.message for refusal in REFUSALS]
    assert catalogue.untranslated("ru", messages) == []
    assert all(catalogue.knows("ru", message) for message in messages)


async def test_speaks_the_language_that_was_asked_for(edge: Any) -> None:
    path = "/maas-authproxy/v1/subscription/status"
    russian = await edge.ask("GET", path, key=None)
    english = await edge.ask("GET", path, key=None, headers={"X-Request-Language": "en"})
    assert russian.body["message"].startswith("Ключ API")
    assert english.body["message"].startswith("The API key")
