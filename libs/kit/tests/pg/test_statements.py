"""What goes in and what comes out."""

import datetime
import decimal
import enum
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import pg
from kit.pg import statements


@dataclass(frozen=True)
class Pair:
    id: int
    name: str | None


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


async def test_builds_objects_of_the_columns(pair: pg.Database) -> None:
    assert await pair.run("INSERT INTO pair VALUES (1, 'a'), (2, NULL)") == 2
    assert await pair.all(Pair, "SELECT * FROM pair ORDER BY id") == [Pair(1, "a"), Pair(2, None)]
    assert await pair.one(dict, "SELECT * FROM pair WHERE id = %(id)s", id=1) == {"id": 1, "name": "a"}
    assert await pair.maybe(Pair, "SELECT * FROM pair WHERE id = %(id)s", id=9) is None
    assert await pair.one(pg.value, "UPDATE pair SET name = 'b' WHERE id = 1 RETURNING name") == "b"
    assert await pair.all(pg.value, "SELECT id FROM pair WHERE id > 5") == []


async def test_refuses_another_number_of_rows(pair: pg.Database) -> None:
    with pytest.raises(RuntimeError, match="0 came"):
        await pair.one(Pair, "SELECT * FROM pair")
    await pair.run("INSERT INTO pair VALUES (1, 'a'), (2, 'b')")
    with pytest.raises(RuntimeError, match="2 came"):
        await pair.one(Pair, "SELECT * FROM pair")
    with pytest.raises(RuntimeError, match="2 came"):
        await pair.maybe(Pair, "SELECT * FROM pair")
    with pytest.raises(RuntimeError, match="gives no rows"):
        await pair.one(Pair, "UPDATE pair SET name = 'x'")


@pytest.mark.parametrize(
    "sent",
    [
        "it's %s \\ текст 🚕",
        12345678901234567890,
        decimal.Decimal("169.00"),
        True,
        None,
        2.5,
        datetime.date(2026, 1, 31),
        uuid.UUID(int=7),
        [1, 2],
        ["a", "б"],
        {"a": [1, {"b": None}], "п": "я"},
        [{"a": 1}],
    ],
)
async def test_gives_back_what_was_sent(db: pg.Database, sent: Any) -> None:
    kinds = {str: "text", bool: "boolean", dict: "jsonb", decimal.Decimal: "numeric", uuid.UUID: "uuid"}
    kind = kinds.get(type(sent))
    if sent == [{"a": 1}]:
        kind = "jsonb"
    sql = f"SELECT CAST(%(sent)s AS {kind}) AS it" if kind else "SELECT %(sent)s AS it"
    assert await db.one(pg.value, sql, sent=sent) == sent


async def test_sends_lists_as_json_where_the_statement_says_so(db: pg.Database) -> None:
    assert await db.one(dict, "SELECT %(a)s::jsonb AS a, %(b)s :: json AS b", a=[], b=[1, "x"]) == {
        "a": [],
        "b": [1, "x"],
    }
    assert await db.one(pg.value, "SELECT 2 = ANY(%(ids)s)", ids=[1, 2]) is True
    assert await db.all(pg.value, "SELECT unnest(%(ids)s::int[])", ids=[]) == []
    assert await db.one(pg.value, "SELECT CAST(%(x)s AS jsonb)", x=pg.Json(["a"])) == ["a"]


async def test_writes_decimals_in_json_as_strings(db: pg.Database) -> None:
    sent = {"amount": decimal.Decimal("1.10")}
    assert await db.one(pg.value, "SELECT %(sent)s::jsonb", sent=sent) == {"amount": "1.10"}


async def test_takes_enums_by_value(db: pg.Database) -> None:
    assert await db.one(dict, "SELECT %(c)s AS c, %(s)s AS s", c=Colour.RED, s=Size.BIG) == {"c": "red", "s": 3}


async def test_speaks_utc(db: pg.Database) -> None:
    moscow = datetime.timezone(datetime.timedelta(hours=3))
    sent = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=moscow)
    came: datetime.datetime = await db.one(pg.value, "SELECT %(sent)s::timestamptz", sent=sent)
    assert came == sent
    assert came.tzinfo is datetime.UTC


async def test_refuses_values_it_cannot_send_and_stays_usable(db: pg.Database) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        await db.one(pg.value, "SELECT %(x)s", x=object())
    with pytest.raises(ValueError, match="NUL"):
        await db.one(pg.value, "SELECT %(x)s", x="a\0b")
    with pytest.raises(KeyError):
        await db.one(pg.value, "SELECT %(x)s", y=1)
    assert await db.one(pg.value, "SELECT 1") == 1


async def test_leaves_percent_alone_without_arguments(db: pg.Database) -> None:
    assert await db.one(pg.value, "SELECT 'abc' LIKE 'a%'") is True
    assert await db.one(pg.value, "SELECT %(s)s LIKE 'a%%'", s="abc") is True


async def test_sends_and_gets_more_than_a_socket_holds(db: pg.Database) -> None:
    text = "я" * 3_000_000
    assert await db.one(pg.value, "SELECT %(text)s::text", text=text) == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abя'%\\"), inner, max_size=4),
        max_leaves=12,
    )
)
def test_keeps_any_json(sent: Any) -> None:
    assert orjson.loads(pg.Json(sent).dumps(sent)) == sent


@pytest.mark.parametrize(
    ("sql", "is_read"),
    [
        ("SELECT 1", True),
        ("\n -- why\n /* and */ (select 1) union select 2", True),
        ("with x as (select 1) select * from x", True),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", False),
        ("SELECT 1 AS a INTO t", False),
        ("VALUES (1)", True),
        ("EXPLAIN ANALYZE DELETE FROM t", False),
        ("INSERT INTO t SELECT 1", False),
        ("UPDATE t SET a = 1 RETURNING a", False),
        ("CALL p()", False),
        ("SELECT 1; DELETE FROM t", False),
        ("SELECT 1;\n", True),
        ("", False),
    ],
)
def test_knows_reads_from_changes(sql: str, is_read: bool) -> None:
    assert statements.Plan(sql).is_read is is_read
