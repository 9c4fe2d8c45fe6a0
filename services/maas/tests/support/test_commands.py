"""`python -m maas find`, `revoke` and `reissue-promocode`, as support uses them."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit import identity
from maas.subscriptions.model import SubscriptionCanceled, SubscriptionExpired
from maas.support import commands, model
from maas.users.model import PhoneInvalid

Said = Callable[..., Awaitable[tuple[int, str]]]
ANNA = identity.Passenger("4001", flags=frozenset({"portal"}))
CODE = "METRO-PASS-1"
NAMES = {command.name: command for command in commands.COMMANDS}


class Terminal(io.StringIO):
    """A person who answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def said(world: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """The exit status of a command and what it prints, without the moments."""

    async def run(word: str, *words: str, typed: io.StringIO | None = None) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", typed or io.StringIO())
        parser = argparse.ArgumentParser()
        NAMES[word].arguments(parser)
        capsys.readouterr()
        status = await NAMES[word].run(world.maas.context, parser.parse_args(words))
        printed = capsys.readouterr().out
        assert CODE not in printed
        return status, re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC( \((?:in|now|\d).*?\))?", "T", printed)

    return run


async def _bound(world: Any) -> None:
    await world.activated()
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal'")
    await world.maas.as_passenger(ANNA, "GET", "/4.0/maas/v1/subscription/info")


async def _about_code(said: Said, *words: str) -> str:
    _, printed = await said("find", *(words or ("--pass-id", "pass-1")))
    (line,) = (line for line in printed.splitlines() if line.startswith("  promo code"))
    return line.removeprefix("  promo code").strip()


async def test_tells_all_of_a_person(world: Any, said: Said) -> None:
    await world.with_promocode()
    await world.stations_loaded()
    for number in range(8):
        await world.hold(f"order-{number}")
    for number in range(7):
        await world.complete(f"order-{number}", payment_method="cash" if number == 6 else "card")
    await world.execute("UPDATE stq.tasks SET state = 'done', finished_at = now() WHERE task_id <> 'order-1'")
    await world.execute(
        """UPDATE stq.tasks SET state = 'dead', attempt = 5, last_error = 'neighbour_unavailable', finished_at = now()
           WHERE task_id = 'order-1'"""
    )
    phone = (await world.maas.context.db.one(dict, "SELECT personal_phone_id AS id FROM users.users"))["id"]
    (dead,) = await world.maas.context.db.all(dict, "SELECT id FROM stq.tasks WHERE state = 'dead'")
    status, printed = await said("find", "--order-id", "order-0")
    assert status == 0
    assert printed.splitlines() == [
        "Person user-1",
        f"  phone         personal_phone_id {phone}",
        "  account       4001, portal",
        "  known since   T",
        "",
        "Subscription pass-1 is active until T",
        "  tariff        metro-taxi-10: 10 taxi rides in 30 days for 2990.00 RUB",
        "  account       4001",
        "  reserved      T",
        "  paid          T",
        "  promo code    …S-1, issued",
        "  rides         10 bought, 6 used, 1 held, 3 left",
        "                order-7  held since T",
        "                order-0  used at T, 180.00 RUB  <- asked about",
        "                order-6  given back at T: payment_method_not_allowed",
        *(f"                order-{number}  used at T, 180.00 RUB" for number in (5, 4, 3, 2)),
        "                and 1 more, which --json tells",
        "",
        "Tasks that are not done",
        f"  {dead['id']}  maas.ride.report order-1  DEAD after 5 attempts with neighbour_unavailable. "
        f"Retry: python -m maas tasks retry {dead['id']}",
    ]


async def test_finds_by_every_name(world: Any, said: Said) -> None:
    await world.with_promocode(rides=9)
    person = await world.maas.context.db.one(dict, "SELECT personal_phone_id FROM users.users")
    names = {"pass-id": "pass-1", "maas-user-id": "user-1", "yandex-uid": "4001", "order-id": "earlier-0"}
    names |= {"personal-phone-id": person["personal_phone_id"]}
    phone = f"8 916 {abs(hash('user-1')) % 10**7:07}\n"
    for words in [["--phone"], *([f"--{key}", name] for key, name in names.items())]:
        _, printed = await said("find", *words, "--json", typed=Terminal(phone))
        (case,) = json.loads(printed)
        assert case["person"]["maas_user_id"] == "user-1", words
        (bought,) = case["subscriptions"]
        assert (bought["pass_id"], bought["promocode"], bought["rides"]["used"]) == ("pass-1", "…S-1", 1)
        assert [ride["order_id"] for ride in bought["ledger"]] == ["earlier-0"]


async def test_finds_who_bought_with_an_account_that_is_anothers_by_now(world: Any, said: Said) -> None:
    await world.with_promocode()
    await world.execute("UPDATE users.users SET yandex_uid = '4002'")
    await world.registered("user-2", "+79160000002")
    await world.execute("UPDATE users.users SET yandex_uid = '4001', uid_kind = 'portal' WHERE maas_user_id = 'user-2'")
    _, printed = await said("find", "--yandex-uid", "4001")
    assert [line for line in printed.splitlines() if line.startswith("Person")] == ["Person user-1", "Person user-2"]
    assert "Nothing was bought yet." in printed


async def test_tells_of_a_passenger_whom_the_metro_does_not_know(world: Any, said: Said) -> None:
    stranger = identity.Passenger("77", personal_phone_id="abc")
    await world.maas.as_passenger(stranger, "GET", "/4.0/maas/v1/subscription/info")
    _, printed = await said("find", "--yandex-uid", "77")
    assert printed.startswith("Nobody of the metro: a passenger who looked into the app and has bought nothing\n")


async def test_finds_nobody(world: Any, said: Said) -> None:
    with pytest.raises(model.NobodyFound):
        await said("find", "--pass-id", "nowhere")
    with pytest.raises(PhoneInvalid):
        await said("find", "--phone", typed=io.StringIO("12\n"))


async def test_wants_one_good_name(said: Said) -> None:
    for words in ([], ["--pass-id", "a", "--order-id", "b"], ["--pass-id", "два"], ["--phone", "+79161234567"]):
        with pytest.raises(SystemExit) as wrong:
            await said("find", *words)
        assert wrong.value.code == 2


async def test_tells_why_there_is_no_code(world: Any, said: Said) -> None:
    await world.reserved()
    assert await _about_code(said) == "none, since the subscription was not paid"
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    assert (await _about_code(said)).startswith("none yet, since no account is bound: it is made when the person opens")
    await _bound(world)
    assert await _about_code(said) == "being made: due since T"
    world.neighbours.coupons.on("POST", "/internal/generate", answer={"code": "x", "message": ""}, status=500, times=2)
    assert await world.maas.run_task("maas.promocode.issue") == ["retry"]
    await world.execute("UPDATE stq.tasks SET due_at = now() + interval '5 minutes' WHERE state = 'waiting'")
    assert await _about_code(said) == "being made: attempt 1 failed with neighbour_failed, the next is at T"
    await world.execute("UPDATE stq.tasks SET state = 'dead', finished_at = now() WHERE queue = 'maas.promocode.issue'")
    assert await _about_code(said) == "being made: its order was lost, and is given again within a minute"
    await world.pass_time(hours=25)
    await world.runs("maas.promocodes.reconcile")
    assert (await _about_code(said)).startswith("GIVEN UP after 24 hours")
    assert (await said("reissue-promocode", "pass-1"))[0] == 0
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    assert await _about_code(said) == "…S-1, issued"


async def test_reissues_once_and_says_when_there_is_nothing_to_do(world: Any, said: Said) -> None:
    await _bound(world)
    assert await said("reissue-promocode", "pass-1") == (
        0,
        "The promo code of pass-1 is being made already: due since T.\n",
    )
    await world.execute("UPDATE subscriptions.subscriptions SET promocode_status = 'failed'")
    ordered = "The promo code of pass-1 is ordered again; see: python -m maas find --pass-id pass-1\n"
    assert await said("reissue-promocode", "pass-1") == (0, ordered)
    assert await world.maas.run_task("maas.promocode.issue") == ["done"]
    nothing = "Nothing was ordered for pass-1. Its promo code: …S-1, issued.\n"
    assert await said("reissue-promocode", "pass-1") == (0, nothing)
    await world.pass_time(days=31)
    assert (await said("reissue-promocode", "pass-1"))[0] == 0
    await world.reserved("pass-2", "user-2")
    assert (await said("reissue-promocode", "pass-2"))[0] == 1
    with pytest.raises(model.NobodyFound):
        await said("reissue-promocode", "nowhere")


async def test_revokes_what_is_meant(world: Any, said: Said) -> None:
    await world.with_promocode()
    await world.stations_loaded()
    await world.hold()
    reason = ("--reason", "asked by the person")
    for typed, words in ((io.StringIO("y\n"), ()), (Terminal("\n"), ()), (Terminal("n\n"), ())):
        status, printed = await said("revoke", "pass-1", *reason, *words, typed=typed)
        assert (status, printed.splitlines()[-1]) == (1, "Nothing was done.")
    assert (await world.info())["status"] == "activated"
    status, printed = await said("revoke", "pass-1", *reason, typed=Terminal("y\n"))
    assert (status, printed.splitlines()[-3:]) == (
        0,
        [
            "pass-1 is revoked: it pays no rides from now on.",
            "1 ride under way may still come to an end.",
            "Its promo code is being ended at coupons; see: python -m maas find --pass-id pass-1",
        ],
    )
    assert await _about_code(said) == "…S-1, being revoked"
    assert (await world.complete()).body["state"] == "used"
    assert (await world.hold("order-2")).code == "subscription_not_active"
    world.neighbours.coupons.on("POST", "/internal/deactivate", answer={"status": "deactivated"})
    assert await world.maas.run_task("maas.promocode.revoke") == ["done"]
    assert await _about_code(said) == "…S-1, revoked"
    status, printed = await said("revoke", "pass-1", "--reason", "again", "--yes")
    assert (status, printed.splitlines()) == (0, ["pass-1 was revoked before.", "Its promo code is ended at coupons."])
    assert "ended         T: asked by the person\n" in (await said("find", "--pass-id", "pass-1"))[1]


async def test_revokes_only_what_is_active(world: Any, said: Said) -> None:
    await world.reserved()
    with pytest.raises(model.SubscriptionNotActivated):
        await said("revoke", "pass-1", "--reason", "x", "--yes")
    await world.partner("subscription/cancel", {"pass_id": "pass-1"})
    with pytest.raises(SubscriptionCanceled):
        await said("revoke", "pass-1", "--reason", "x", "--yes")
    await world.activated("pass-2", "user-2")
    await world.pass_time(days=31)
    with pytest.raises(SubscriptionExpired):
        await said("revoke", "pass-2", "--reason", "x", "--yes")
    for reason in ("", " ", "two\nlines", "x" * 257):
        with pytest.raises(SystemExit):
            await said("revoke", "pass-2", "--reason", reason, "--yes")


async def test_points_at_a_payment_in_vain(world: Any, said: Said) -> None:
    await world.reserved()
    await world.pass_time(minutes=31)
    await world.partner("subscription/reserve", world.sale("pass-2"))
    await world.partner("subscription/activate", {"pass_id": "pass-1"})
    _, printed = await said("find", "--maas-user-id", "user-1")
    vain = "  PAID IN VAIN  the bank took the money at T, when another subscription was live. Agree with the bank on it"
    assert vain in printed.splitlines()


def _run(world: Any, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    given = world.maas.context.config
    settings = {
        "DATABASE_DSN": given.database_dsn.reveal(),
        "RABBITMQ_URL": "memory:",
        "TOKEN_SALT": given.token_salt.reveal(),
        "API_PORT": "0",
        "MONITOR_PORT": "0",
    }
    for name in ("ticket_file", "jwks_file", "dynamic_config"):
        settings[name.upper()] = str(getattr(given, name))
    for name in ("personal", "user_api", "zalogin", "coupons", "masstransit", "vtb"):
        settings[f"{name.upper()}_URL"] = getattr(given, f"{name}_url")
    env = os.environ | {f"MAAS_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "maas", *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


async def test_is_a_command_of_the_service(world: Any, tmp_path: Path) -> None:
    await world.with_promocode()
    found = _run(world, tmp_path, "find", "--pass-id", "pass-1", "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)[0]["person"]["maas_user_id"] == "user-1"
    missed = _run(world, tmp_path, "find", "--pass-id", "nowhere")
    assert (missed.returncode, missed.stdout) == (1, "")
    assert missed.stderr.splitlines()[-1] == "maas: Nobody here goes by this."
    revoked = _run(world, tmp_path, "revoke", "pass-1", "--reason", "asked by the person", "--yes")
    assert (revoked.returncode, revoked.stdout.splitlines()[0]) == (
        0,
        "pass-1 is revoked: it pays no rides from now on.",
    )
    assert (await world.info())["status"] == "canceled"
