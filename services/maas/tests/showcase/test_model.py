"""Which tariffs are offered, and the link to the bank's page, whatever the words in them are."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import hypothesis
from hypothesis import strategies as some

from clients import vtb
from kit import money
from maas.showcase import model

_CONDITIONS = some.fixed_dictionaries(
    {
        "tariff_id": some.sampled_from(["a", "b", "c"]),
        "price": some.builds(money.Money, some.decimals(1, 3, places=0), some.just("RUB")),
        "taxi_rides": some.integers(1, 2),
        "duration_days": some.integers(30, 31),
    }
)
_FIELDS = ("tariff_id", "price", "taxi_rides", "duration_days")
_WORDS = some.text(max_size=40)


@hypothesis.given(
    sold=some.lists(_CONDITIONS, max_size=6),
    agreed=some.lists(_CONDITIONS, max_size=6),
    language=some.sampled_from(["ru", "en"]),
)
def test_offers_what_is_both_sold_and_agreed(sold: Any, agreed: Any, language: str) -> None:
    described = {"a": {"ru": {"title": "А", "description": "", "details": ["1"]}}}
    described["a"]["en"] = described["a"]["ru"]
    variants = [conditions | {"promocode_series_id": "s"} for conditions in agreed]
    offers = model.offers([vtb.Tariff(**each) for each in sold], variants, described, language)
    shown = [{name: getattr(offer, name) for name in _FIELDS} for offer in offers]
    assert shown == [conditions for conditions in agreed if conditions in sold]
    assert all(offer.title for offer in offers)


@hypothesis.given(words=some.dictionaries(some.sampled_from(["maas_user_id", "tariff_id", "user_token"]), _WORDS))
def test_carries_every_word_to_the_page_unchanged(words: dict[str, str]) -> None:
    url = urlsplit(model.page_url("https://bank.test/pay?lang=%D1%80%D1%83&v=#top", **words))
    assert (url.scheme, url.netloc, url.path, url.fragment) == ("https", "bank.test", "/pay", "top")
    assert parse_qsl(url.query, keep_blank_values=True) == [("lang", "ру"), ("v", ""), *words.items()]
