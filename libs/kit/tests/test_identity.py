import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import identity

WHOLE = {
    "X-Yandex-UID": "4000000000",
    "X-YaTaxi-UserId": "u1",
    "X-YaTaxi-PhoneId": "p1",
    "X-YaTaxi-User": "personal_phone_id=pp1, eats_user_id=e1",
    "X-YaTaxi-Pass-Flags": "portal, ya-plus,",
    "X-YaTaxi-Bound-Uids": "1, 2",
    "X-Remote-IP": "2a02:6b8::1",
    "X-Request-Application": "app_name=android,app_ver1=5",
}


def test_reads_the_whole_passenger() -> None:
    assert identity.passenger(WHOLE) == identity.Passenger(
        yandex_uid="4000000000",
        user_id="u1",
        phone_id="p1",
        personal_phone_id="pp1",
        flags=frozenset({"portal", "ya-plus"}),
        bound_uids=("1", "2"),
        remote_ip="2a02:6b8::1",
        application="app_name=android,app_ver1=5",
    )
    assert identity.passenger(WHOLE).is_portal


def test_needs_only_the_uid() -> None:
    assert identity.passenger({"X-Yandex-UID": "1"}) == identity.Passenger(yandex_uid="1")
    assert not identity.passenger({"X-Yandex-UID": "1", "X-YaTaxi-Pass-Flags": "phonish"}).is_portal


@pytest.mark.parametrize("uid", ["", " ", "a", "1a", "-1", "+1", "1.0", "1 ", "1\n", "١", "²", "1" * 21, "1,2", "0x1"])
def test_refuses_a_malformed_uid(uid: str) -> None:
    with pytest.raises(identity.Unauthorized):
        identity.passenger({"X-Yandex-UID": uid})
    if uid.strip() and uid not in ("1 ", "1\n", "1,2"):
        with pytest.raises(identity.Unauthorized):
            identity.passenger({"X-Yandex-UID": "1", "X-YaTaxi-Bound-Uids": f"2, {uid}"})


@given(
    st.dictionaries(st.sampled_from([*WHOLE, "X-YaTaxi-Park-Id", "X-YaTaxi-Driver-Profile-Id"]), st.text(max_size=50))
)
def test_raises_nothing_else(headers: dict[str, str]) -> None:
    for read in (identity.passenger, identity.driver):
        try:
            found = read(headers)
        except identity.Unauthorized:
            continue
        ids = (
            (found.user_id, found.phone_id, found.personal_phone_id, found.remote_ip)
            if isinstance(found, identity.Passenger)
            else (found.park_id, found.driver_profile_id)
        )
        assert all(each is None or (each.isascii() and each.isprintable() and " " not in each) for each in ids)


def test_reads_the_driver() -> None:
    headers = {"X-YaTaxi-Park-Id": "p", "X-YaTaxi-Driver-Profile-Id": "d", "X-Request-Application-Version": "9.1"}
    assert identity.driver(headers) == identity.Driver("p", "d", None, "9.1")


@pytest.mark.parametrize("missing", ["X-YaTaxi-Park-Id", "X-YaTaxi-Driver-Profile-Id"])
@pytest.mark.parametrize("value", [None, "", "a b", "a\x00", "é", "a" * 129])
def test_refuses_half_a_driver(missing: str, value: str | None) -> None:
    headers = {"X-YaTaxi-Park-Id": "p", "X-YaTaxi-Driver-Profile-Id": "d"}
    if value is None:
        del headers[missing]
    else:
        headers[missing] = value
    with pytest.raises(identity.Unauthorized):
        identity.driver(headers)
