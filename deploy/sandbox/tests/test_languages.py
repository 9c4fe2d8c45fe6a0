"""The texts of the world: whole in Russian, and in the language that a person asks for."""

import pytest
from multidict import CIMultiDict

from sandbox import languages
from sandbox.bank import words


def test_says_everything_in_russian() -> None:
    said = [text for outcome in words.OUTCOMES.values() for text in outcome]
    assert languages.CATALOGUE.untranslated("ru", [*said, *words.REFUSALS.values(), words.OTHER_REFUSAL]) == []
    assert languages.CATALOGUE.mismatched("ru") == []


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "ru"),
        ({"Accept-Language": "en-GB,en;q=0.9"}, "en"),
        ({"Accept-Language": "de, en;q=0.5, ru;q=0.7"}, "ru"),
        ({"Accept-Language": "en;q=0, *"}, "ru"),
        ({"Accept-Language": "en;q=much"}, "ru"),
        ({"Accept-Language": "en", "X-Request-Language": "ru"}, "ru"),
    ],
)
def test_speaks_as_it_is_asked(headers: dict[str, str], language: str) -> None:
    assert languages.of(CIMultiDict(headers)) == language


@pytest.mark.parametrize(
    ("amount", "russian", "english"),
    [
        ("2990.00", "2\u00a0990\u00a0₽", "2,990\u00a0₽"),
        ("1234567.50", "1\u00a0234\u00a0567,50\u00a0₽", "1,234,567.50\u00a0₽"),
    ],
)
def test_writes_prices_as_people_do(amount: str, russian: str, english: str) -> None:
    price = {"amount": amount, "currency": "RUB"}
    assert (words.amount("ru", price), words.amount("en", price)) == (russian, english)
    assert words.rides("ru", 1).startswith("1 поездка ")
    assert words.days("ru", 22).startswith("22 дня ")
