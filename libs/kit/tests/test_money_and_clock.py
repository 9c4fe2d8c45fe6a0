"""Amounts and times as they go over the wire."""

import datetime
from decimal import Decimal

import pytest

from kit import clock, money


@pytest.mark.parametrize(
    ("amount", "wire"), [("169", "169.00"), ("0.1", "0.10"), ("1000.01", "1000.01"), ("0", "0.00")]
)
def test_writes_money_with_two_places(amount: str, wire: str) -> None:
    assert money.Money(Decimal(amount)).to_wire() == {"amount": wire, "currency": "RUB"}


def test_writes_every_time_in_utc_with_its_offset() -> None:
    moscow = datetime.timezone(datetime.timedelta(hours=3))
    assert clock.to_wire(datetime.datetime(2026, 1, 31, 12, 0, tzinfo=moscow)) == "2026-01-31T09:00:00+00:00"
    assert clock.now().utcoffset() == datetime.timedelta(0)
