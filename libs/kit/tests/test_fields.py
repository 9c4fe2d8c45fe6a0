import contextlib
import datetime
import decimal
from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import fields, geo, money


class Everything(fields.Strict):
    """One of each."""

    id = fields.Id()
    uid = fields.Uid()
    text = fields.Text(longest=5)
    whole = fields.Whole(least=-10, most=10)
    point = fields.point()
    price = fields.amount_of_money()
    at = fields.Moment()


SCHEMA = Everything()
UTC = datetime.UTC


@pytest.mark.parametrize(
    ("name", "wire", "inside"),
    [
        ("id", "a/b=~!", "a/b=~!"),
        ("uid", "00042", "00042"),
        ("text", "привет"[:5], "приве"),
        ("whole", -10, -10),
        ("whole", 10.0, 10),
        ("whole", fields.Word("-7"), -7),
        ("point", {"lat": 55.75, "lon": -180}, geo.Point(55.75, -180.0)),
        ("point", {"lat": fields.Word("55.75"), "lon": fields.Word("-0")}, geo.Point(55.75, 0.0)),
        ("price", {"amount": "169", "currency": "RUB"}, money.Money(decimal.Decimal(169))),
        ("price", {"amount": "0.1", "currency": "USD"}, money.Money(decimal.Decimal("0.1"), "USD")),
        ("at", "2026-01-31T12:00:00+03:00", datetime.datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("at", "2026-01-31t09:00:00.5z", datetime.datetime(2026, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_loads(name: str, wire: Any, inside: Any) -> None:
    found = SCHEMA.load({name: wire})[name]
    assert found == inside
    assert type(found) is type(inside)


def _any(*wires: Any) -> tuple[Any, ...]:
    return wires


# Field, and what it does not take.
WRONG: list[tuple[str, Any]] = [
    *(("id", wire) for wire in _any("", "a b", "é", "a\n", "a" * 65, 1, None, [], b"\xff")),
    *(("uid", wire) for wire in _any("", "1" * 21, "a", "-1", "٣", 1)),
    *(("text", wire) for wire in _any("", "a" * 6, "a\0", "a\n", "\x7f", 1, {})),
    *(("whole", wire) for wire in _any(11, -11, 1.5, True, "1", None, [], float("nan"), float("inf"), 10**400)),
    *(("whole", fields.Word(wire)) for wire in _any("", "1.0", "1_0", " 1", "+1", "1e0", "٣", "9" * 30)),
    *(("point", {"lat": wire, "lon": 0}) for wire in _any(90.01, -91, "1", True, None, float("nan"), float("-inf"))),
    *(("point", {"lat": fields.Word(wire), "lon": 0}) for wire in _any("nan", "inf", "1e1", "1_0", "", " 1", "0x1")),
    *(("point", wire) for wire in _any({}, {"lat": 1}, [1, 2], "1,2", {"lat": 1, "lon": 181})),
    *(("price", {"amount": wire, "currency": "RUB"}) for wire in _any(1, 1.0, "", "-1", "01", "1.", "1.001", "1e1")),
    *(("price", {"amount": "1", "currency": wire}) for wire in _any("rub", "RU", "RUBL", "RUB\n", "", 643, None)),
    *(("price", wire) for wire in _any({"amount": "1"}, {"currency": "RUB"}, "1 RUB", 1)),
    *(("at", wire) for wire in _any(1, "", "now", "2026-01-31", "2026-01-31T09:00:00", "2026-02-30T09:00:00Z", True)),
    *(("at", wire) for wire in _any("20260131T090000Z", "2026-W05-6T09:00:00Z", "2026-01-31T09:00Z")),
    *(("at", wire) for wire in _any("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "２026-01-31T09:00:00Z")),
    ("more", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wire"), WRONG)
def test_refuses(name: str, wire: Any) -> None:
    with pytest.raises(ma.ValidationError) as refused:
        SCHEMA.load({name: wire})
    assert list(refused.value.messages) == [name]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes(timezones=st.timezones()).map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["lat", "lon", "amount"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Everything._declared_fields, "more"]), json_values))
def test_raises_nothing_else(found: dict[str, Any]) -> None:
    with contextlib.suppress(ma.ValidationError):
        SCHEMA.load(found)


@given(
    st.decimals(0, 10**9, places=2),
    st.datetimes(timezones=st.timezones()).filter(lambda at: 2 < at.year < 9998),
)
def test_dumps_what_it_loads_again(amount: decimal.Decimal, at: datetime.datetime) -> None:
    whole = {"price": money.Money(amount), "at": at.replace(second=0, microsecond=0).astimezone(UTC)}
    assert SCHEMA.load(SCHEMA.dump(whole)) == whole


def test_writes_money_to_the_hundredth() -> None:
    assert money.Money(decimal.Decimal("169")).to_wire() == {"amount": "169.00", "currency": "RUB"}


def test_gives_plain_strings_out_of_a_query() -> None:
    found = SCHEMA.load({"id": fields.Word("a"), "text": fields.Word("b")})
    assert {type(value) for value in found.values()} == {str}
