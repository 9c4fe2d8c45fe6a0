"""What routestats says of a ride by subscription (MA-81, MA-95)."""

import pytest

from clients import maas
from kit import texts

OTHER_POINTS = "Для выбранных точек A и B поездка недоступна, попробуйте изменить маршрут"


def _verdict(code: str | None, *, valid: bool = False, valid_any: bool = False) -> maas.Verdict:
    return maas.Verdict(valid, valid_any, code, None if code is None else "Whatever maas says.", {})


def test_lets_a_good_ride_through() -> None:
    assert maas.restriction_of(_verdict(None, valid=True, valid_any=True), language="ru") is None


@pytest.mark.parametrize("code", ["distance_too_long", "not_near_metro", "intermediate_points_not_allowed", None])
def test_asks_for_other_points_when_they_would_help(code: str | None) -> None:
    found = maas.restriction_of(_verdict(code, valid_any=True), language="ru")
    assert found == maas.Restriction(OTHER_POINTS, maas.Action.CHANGE_POINTS)
    assert found.to_wire() == {"code": "tariff_unavailable", "message": OTHER_POINTS, "action": "change_points"}


@pytest.mark.parametrize("valid_any", [True, False])
def test_asks_for_a_card_first(*, valid_any: bool) -> None:
    found = maas.restriction_of(_verdict("payment_method_not_allowed", valid_any=valid_any), language="ru")
    assert found is not None
    assert (found.action, "картой" in found.message) == (maas.Action.CHANGE_PAYMENT_METHOD, True)


@pytest.mark.parametrize("code", ["no_rides_left", "subscription_not_active", "a_rule_of_tomorrow", None])
def test_leads_to_the_purchase_when_nothing_else_helps(code: str | None) -> None:
    found = maas.restriction_of(_verdict(code), language="ru")
    assert found is not None
    assert (found.code, found.action, "Купите" in found.message) == ("tariff_unavailable", maas.Action.PURCHASE, True)
    assert ("закончились" in found.message) == (code == "no_rides_left")


def test_speaks_english_too() -> None:
    said = [
        maas.restriction_of(_verdict(code, valid_any=code == "not_near_metro"), language="en")
        for code in ("payment_method_not_allowed", "not_near_metro", "no_rides_left", "subscription_not_active")
    ]
    assert all(found is not None and found.message.isascii() for found in said)
    assert len({found.message for found in said if found}) == len(said)
    assert texts.Catalogue("clients").untranslated("ru", [found.message for found in said if found]) == []
