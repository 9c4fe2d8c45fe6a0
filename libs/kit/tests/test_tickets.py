import base64
import gc
import hashlib
import hmac
import json
import os
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from kit import tickets

PEM, OTHER = tickets.new_key(), tickets.new_key()
SUB = "system:serviceaccount:taxi:maas"


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(tickets.jwks(PEM))
    return path


@pytest.fixture
def verifier(jwks_file: Path) -> tickets.Verifier:
    return tickets.Verifier(jwks_file)


def public(pem: str = PEM) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tickets.jwks(pem))["keys"][0]
    return found


def signed(headers: dict[str, Any] | None = None, pem: str = PEM, **claims: Any) -> str:
    whole = {"aud": "taxi", "exp": int(time.time()) + 60, "sub": SUB} | claims
    whole = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(whole, pem, algorithm="ES256", headers={"kid": public()["kid"]} | (headers or {}))


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def replaced(path: Path, text: str) -> None:
    """As Kubernetes does it: another file in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def passed_a_second(found: Any) -> None:
    found._look_at = 0.0


def test_names_the_caller(verifier: tickets.Verifier) -> None:
    assert verifier.verify(tickets.issue(PEM, "maas-authproxy", 60)) == "maas-authproxy"
    assert verifier.verify(signed(aud=["other", "taxi"])) == "maas"


@pytest.mark.parametrize("ticket", [None, "", ".", "..", "a.b.c", "é.è.à", "\udcff.a.b", "a" * 9000, "e30.e30.e30"])
def test_refuses_what_is_no_ticket(verifier: tickets.Verifier, ticket: str | None) -> None:
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(ticket)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_000_000_000}, {"exp": None}, {"exp": "soon"}, {"exp": 10**400}, {"exp": []}, {"exp": True},
        {"nbf": 4_000_000_000}, {"iat": 4_000_000_000},
        {"aud": "other"}, {"aud": None}, {"aud": ""}, {"aud": []}, {"aud": {"taxi": 1}}, {"aud": "taxi2"},
        {"sub": None}, {"sub": ""}, {"sub": "maas"}, {"sub": "system:serviceaccount:taxi:"},
        {"sub": "system:serviceaccount:other:maas"}, {"sub": "system:serviceaccount:taxi:maas:more"},
        {"sub": "system:serviceaccount:maas"}, {"sub": "system:node:taxi:maas"}, {"sub": SUB + "\n"},
        {"sub": "system:serviceaccount:taxi:ma as"}, {"sub": "x" + SUB}, {"sub": "system:serviceaccount:taxi:MAAS"},
    ],
    ids=repr,
)  # fmt: skip
def test_refuses_the_claims(verifier: tickets.Verifier, claims: dict[str, Any]) -> None:
    headers = {"alg": "ES256", "typ": "JWT", "kid": public()["kid"]}
    whole = {"aud": "taxi", "exp": int(time.time()) + 60, "sub": SUB} | claims
    body = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
    ticket = jwt.PyJWS().encode(body, PEM, algorithm="ES256", headers=headers)
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(ticket)


def test_refuses_another_key(verifier: tickets.Verifier) -> None:
    for ticket in (signed(pem=OTHER), tickets.issue(OTHER, "maas", 60), signed({"jwk": public(OTHER)}, pem=OTHER)):
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(ticket)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_refuses_a_ticket_without_a_signature(verifier: tickets.Verifier, algorithm: str) -> None:
    claims = {"aud": "taxi", "exp": int(time.time()) + 60, "sub": SUB}
    for signature in ("", "AA", signed().rpartition(".")[2]):
        head = part({"alg": algorithm, "typ": "JWT", "kid": public()["kid"]})
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(f"{head}.{part(claims)}.{signature}")


def test_refuses_the_public_key_used_as_a_secret(verifier: tickets.Verifier, jwks_file: Path) -> None:
    key = jwt.PyJWK(public()).key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = PublicFormat.SubjectPublicKeyInfo
    secrets = [key.public_bytes(Encoding.PEM, spki), key.public_bytes(Encoding.DER, spki), jwks_file.read_bytes()]
    secrets += [json.dumps(public()).encode(), public()["x"].encode(), b""]
    for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        head = part({"alg": algorithm, "typ": "JWT", "kid": public()["kid"]})
        text = f"{head}.{part({'aud': 'taxi', 'exp': int(time.time()) + 60, 'sub': SUB})}"
        for secret in secrets:
            mac = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), digest).digest()).rstrip(b"=").decode()
            with pytest.raises(tickets.TicketInvalid):
                verifier.verify(f"{text}.{mac}")


@pytest.mark.parametrize("kid", ["", "None", "other", "../jwks.json", "' OR 1=1", 0, None, [], {}, ["a"], "\x00"])
def test_refuses_tricks_with_the_key_id(verifier: tickets.Verifier, kid: Any) -> None:
    _, claims, signature = signed().split(".")
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(f"{part({'alg': 'ES256', 'typ': 'JWT', 'kid': kid})}.{claims}.{signature}")


@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}, {"b64": False}])
def test_refuses_headers_that_change_the_meaning(verifier: tickets.Verifier, extra: dict[str, Any]) -> None:
    _, claims, signature = signed().split(".")
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(f"{part({'alg': 'ES256', 'kid': public()['kid']} | extra)}.{claims}.{signature}")


def test_refuses_a_header_that_is_nested_too_deeply(verifier: tickets.Verifier) -> None:
    head = base64.urlsafe_b64encode(b"[" * 2900).rstrip(b"=").decode()
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(f"{head}.e30.AA")


def test_refuses_any_change(verifier: tickets.Verifier) -> None:
    ticket = signed()
    verifier.verify(ticket)
    for at in range(0, len(ticket) - 2, 7):
        changed = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(changed)


KEPT: list[tickets.Verifier] = []


@given(st.one_of(st.text(max_size=200), st.lists(st.binary(max_size=60), min_size=2, max_size=4)))
def test_raises_nothing_else_whatever_is_sent(
    tmp_path_factory: pytest.TempPathFactory, found: str | list[bytes]
) -> None:
    if not KEPT:
        path = tmp_path_factory.mktemp("keys") / "jwks.json"
        path.write_text(tickets.jwks(PEM))
        KEPT.append(tickets.Verifier(path))
    if isinstance(found, list):
        found = ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in found)
    with pytest.raises(tickets.TicketInvalid):
        KEPT[0].verify(found)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku", "x5u"]), json_values))
def test_raises_nothing_else_whatever_the_header_says(
    tmp_path_factory: pytest.TempPathFactory, headers: dict[str, Any]
) -> None:
    test_raises_nothing_else_whatever_is_sent.hypothesis.inner_test(  # type: ignore[attr-defined]
        tmp_path_factory, f"{part(headers | {'kid': public()['kid']})}.{part({'sub': SUB})}.AAAA"
    )


def test_takes_both_keys_while_they_overlap(verifier: tickets.Verifier, jwks_file: Path) -> None:
    old, new = tickets.issue(PEM, "maas", 60), tickets.issue(OTHER, "maas", 60)
    assert verifier.verify(old) == "maas"
    replaced(jwks_file, tickets.jwks(PEM, OTHER))
    passed_a_second(verifier)
    assert [verifier.verify(old), verifier.verify(new)] == ["maas", "maas"]
    replaced(jwks_file, tickets.jwks(OTHER))
    passed_a_second(verifier)
    assert verifier.verify(new) == "maas"
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(old)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA", "kid": "a"}]}', None]
)
def test_keeps_the_last_good_keys(verifier: tickets.Verifier, jwks_file: Path, text: str | None) -> None:
    if text is None:
        jwks_file.unlink()
    else:
        replaced(jwks_file, text)
    passed_a_second(verifier)
    assert verifier.verify(signed()) == "maas"
    with pytest.raises(tickets.KeysBroken, match=r"the JWKS file .*jwks\.json"):
        tickets.Verifier(jwks_file)


def test_looks_at_the_file_once_a_second_whatever_strangers_send(
    verifier: tickets.Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(tickets, "_stamp", lambda path: looks.append(path))
    for _ in range(50):
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(tickets.issue(OTHER, "maas", 60))
    assert len(looks) <= 1


def test_forgets_a_ticket_when_it_expires(verifier: tickets.Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = tickets.issue(PEM, "maas", 60)
    assert verifier.verify(ticket) == "maas"
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(jwt.api_jwt, "datetime", type("Later", (), {"now": staticmethod(lambda tz: _at(later))}))
    with pytest.raises(tickets.TicketInvalid):
        verifier.verify(ticket)


def _at(moment: float) -> Any:
    import datetime

    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def test_remembers_a_bounded_number(verifier: tickets.Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "_REMEMBERED", 10)
    for second in range(25):
        verifier.verify(signed(exp=int(time.time()) + 60 + second))
    assert len(verifier._remembered) <= 10
    for _ in range(20):
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(tickets.issue(OTHER, "maas", 60))
    assert len(verifier._remembered) <= 10


def test_costs_little_for_a_remembered_ticket(verifier: tickets.Verifier) -> None:
    ticket = tickets.issue(PEM, "maas", 60)
    verifier.verify(ticket)
    raw = ticket.encode()
    gc.disable()
    try:
        # A new string each time, as from the wire: its hash is not known yet.
        best = min(timeit.repeat(lambda: verifier.verify(raw.decode()), number=2000, repeat=7)) / 2000
    finally:
        gc.enable()
    assert best < (3e-6 if sys.gettrace() is None else 1e-3)


def test_takes_the_tokens_of_a_cluster(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {
        "kid": "k8s",
        "alg": "RS256",
        "use": "sig",
    }
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [jwk, {"kty": "oct", "k": "AAAA", "kid": "secret"}]}))
    verifier = tickets.Verifier(tmp_path / "jwks.json")
    claims = {"aud": ["taxi"], "exp": int(time.time()) + 60, "sub": SUB, "kubernetes.io": {"namespace": "taxi"}}
    assert verifier.verify(jwt.encode(claims, key, algorithm="RS256", headers={"kid": "k8s"})) == "maas"
    forged = jwt.encode(claims, b"\0" * 64, algorithm="HS256", headers={"kid": "secret"})
    for ticket in (forged, jwt.encode(claims, key, algorithm="RS512", headers={"kid": "k8s"})):
        with pytest.raises(tickets.TicketInvalid):
            verifier.verify(ticket)


def test_sends_the_ticket_that_is_in_the_file_now(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_text("one\n")
    source = tickets.Source(path)
    assert source.header() == "one"
    replaced(path, "two\n")
    assert source.header() == "one"
    passed_a_second(source)
    assert source.header() == "two"


def test_sends_the_last_ticket_while_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_text("one")
    source = tickets.Source(path)
    source.header()
    for broken in (lambda: path.unlink(), lambda: path.write_text(""), lambda: path.write_bytes(b"\xff")):
        broken()
        passed_a_second(source)
        assert source.header() == "one"


def test_says_that_there_has_never_been_a_ticket(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tickets.Source(tmp_path / "ticket").header()
    (tmp_path / "ticket").write_text(" \n")
    with pytest.raises(ValueError, match="is empty"):
        tickets.Source(tmp_path / "ticket").header()


def test_makes_keys_and_tickets_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tickets.main(["keygen", str(tmp_path / "keys")])
    private = tmp_path / "keys" / "private.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    tickets.main(["issue", "--key", str(private), "--caller", "maas", "--days", "30"])
    ticket = capsys.readouterr().out.strip()
    assert tickets.Verifier(tmp_path / "keys" / "jwks.json").verify(ticket) == "maas"
    assert jwt.decode(ticket, options={"verify_signature": False})["exp"] > time.time() + 29 * 86_400
