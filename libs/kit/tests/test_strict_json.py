import contextlib
import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import strict_json

plain_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans())
def test_reads_what_is_good(value: Any, ensure_ascii: bool) -> None:
    assert strict_json.loads(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


@given(st.binary(max_size=200))
def test_raises_nothing_else_whatever_is_sent(raw: bytes) -> None:
    try:
        value = strict_json.loads(raw)
    except strict_json.Malformed:
        return
    assert json.loads(raw) == value or math.isnan(value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\xc0\x80"', "not UTF-8"),
        (b'{"a": 1, "a": 1}', "has a repeated key"),
        (b'{"a": {"b": 1, "\\u0062": 1}}', "has a repeated key"),
        (b"NaN", "has NaN or Infinity"),
        (b"[-Infinity]", "has NaN or Infinity"),
        (b"1e999", "has a number that is too large"),
        (b"1" * 19, "has a number that is too large"),
        (b"-" + b"1" * 19, "has a number that is too large"),
        (b"9" * 60_000, "has a number that is too large"),
        (b"0." + b"1" * 100, "has a number that is too large"),
        (b'"\\u0000"', "has a NUL character"),
        (b'{"\\u0000": 1}', "has a NUL character"),
        (b'["\\ud800"]', "has a lone surrogate"),
        (b'"\\udc00\\ud800"', "has a lone surrogate"),
        (b'{"a": [{"\\uDBFF": 1}]}', "has a lone surrogate"),
        (b"[" * 33 + b"]" * 33, "nested too deeply"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested too deeply"),
        (b"[" * 60_000, "not JSON"),
        (b"01", "not JSON"),
        (b"+1", "not JSON"),
        (b"'a'", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'"\n"', "not JSON"),
        (b'"\x00"', "not JSON"),
        (b"\x0c1", "not JSON"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_refuses_what_is_doubtful(raw: bytes, reason: str) -> None:
    with pytest.raises(strict_json.Malformed, match=f"^{reason}$"):
        strict_json.loads(raw)


def test_reads_what_only_looks_doubtful() -> None:
    assert strict_json.loads(b"[" * 32 + b"]" * 32)
    assert strict_json.loads(b'["' + b"[" * 100 + b'"]') == ["[" * 100]
    assert strict_json.loads(b"[" + b",".join([b"{}"] * 100) + b"]") == [{}] * 100
    assert strict_json.loads(b'"\\\\u0000 \\ud83d\\ude80 \\u000a"') == "\\u0000 🚀 \n"
    assert strict_json.loads(b"-999999999999999999") == -999999999999999999
    assert strict_json.loads(b" [1, 1.0, -0, 1E-400]\r\n\t") == [1, 1.0, 0, 0.0]


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 40 + b'"\\' * 30_000, b"[" * 40 + b'"' * 30_000, b'{"a":' * 10_000, b"[[" * 30_000,
        b"[" + b"1e9," * 15_000, b'"' + b"\\u0001" * 10_000 + b'"', b"[" * 40 + b'"\\"' * 20_000 + b"\\",
    ],
    ids=range(7),
)  # fmt: skip
def test_takes_no_longer_for_64_kib_meant_ill(raw: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(strict_json.Malformed):
        strict_json.loads(raw[:65_536])
    assert time.process_time() - began < 0.25
