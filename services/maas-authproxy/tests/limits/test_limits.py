"""Rates as partners and strangers meet them."""

import itertools
from typing import Any

import pytest

from kit import dynconf
from maas_authproxy import config
from maas_authproxy.limits import actions, model
from testkit.measuring import Difference
from testkit.waiting import until

NEW = "/maas-authproxy/v1"
RESERVE, INFO = f"{NEW}/subscription/reserve", f"{NEW}/subscription/info?pass_id=p"
NEVER = 0.001


@pytest.fixture(autouse=True)
def answers(edge: Any) -> None:
    """maas answers everything."""
    edge.maas.on("*", "/{rest}", answer={"ok": True})


def _told(answer: Any) -> list[int]:
    return [int(answer.headers[f"RateLimit-{word}"]) for word in ("Limit", "Remaining", "Reset")]


async def _limit(edge: Any, burst: int, per_second: float = NEVER) -> None:
    edge.partners.entries[0]["limits"] = {"per_second": per_second, "burst": burst}
    edge.partners.write()
    await edge.reload()


async def test_refuses_a_partner_beyond_its_burst_and_nobody_else(edge: Any) -> None:
    other = edge.partners.add("metro")
    await _limit(edge, 3)
    counted = Difference("maas_authproxy_limited_total", partner="vtb")
    answers = [await edge.ask("GET", INFO) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert [_told(answer)[:2] for answer in answers] == [[3, 2], [3, 1], [3, 0], [3, 0], [3, 0]]
    assert answers[-1].code == "rate_limit_exceeded"
    assert 990 <= int(answers[-1].headers["Retry-After"]) <= 1000
    assert answers[-1].headers["X-Should-Retry"] == "true"
    assert len(edge.maas.calls()) == 3
    assert counted.value == 2
    answer = await edge.ask("GET", INFO, key=other)
    assert (answer.status, _told(answer)[0]) == (200, 200)


async def test_lets_a_partner_go_on_when_it_has_waited(edge: Any) -> None:
    await _limit(edge, 1, per_second=2)
    refused = None
    for _ in range(2):
        refused = await edge.ask("GET", INFO)
    assert refused is not None
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert 0 < refused.body["details"]["retry_after_s"] <= 0.5
    async with edge.live.http.get(edge.live.monitor_url + "/metrics") as metrics:
        assert 'maas_authproxy_limited_total{partner="vtb"}' in await metrics.text()

    async def is_let_in() -> bool:
        return bool((await edge.ask("GET", INFO)).status == 200)

    await until(is_let_in)


async def test_tells_the_standing_with_every_answer_to_a_partner(edge: Any) -> None:
    inside = edge.partners.add("inside", ("metro",))
    await edge.reload()
    edge.maas.on("POST", "/maas/v1/subscription/cancel", b"garbage")
    answers = [
        (await edge.ask("GET", INFO), 200),
        (await edge.ask("GET", f"{INFO}&debug=1"), 400),
        (await edge.ask("POST", RESERVE, raw=b"{"), 400),
        (await edge.ask("POST", RESERVE, raw=b" " * 70_000), 413),
        (await edge.ask("POST", RESERVE, {}, headers={"Content-Type": "text/plain"}), 415),
        (await edge.ask("POST", f"{NEW}/subscription/cancel", {}), 502),
        (await edge.ask("POST", RESERVE, {}, key=inside), 403),
    ]
    for answer, status in answers:
        assert answer.status == status
        limit, remaining, reset_s = _told(answer)
        assert (limit, reset_s) == (200, 1)
        assert 190 <= remaining < 200


async def test_tells_strangers_nothing_of_anybody(edge: Any) -> None:
    answer = await edge.ask("GET", INFO, key=None)
    assert not any(name.startswith("RateLimit") for name in answer.headers)


async def test_limits_bad_keys_by_address_and_lets_the_good_ones_in(edge: Any) -> None:
    edge.partners.set(MAAS_AUTHPROXY_FAILURES={"per_second": NEVER, "burst": 5})
    await edge.reload()
    counted = Difference("maas_authproxy_limited_total", partner="-")
    keys = itertools.cycle([None, "unknown-1.key", edge.key + "x"])
    answers = [await edge.ask("GET", INFO, key=next(keys)) for _ in range(30)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 25
    assert all(answer.code == "rate_limit_exceeded" for answer in answers[5:])
    assert counted.value == 25
    assert (await edge.ask("GET", INFO)).status == 200
    entries = await edge.trail(6)
    assert [entry["status"] for entry in entries] == [401] * 5 + [200]


NO_RATES: list[dict[str, Any]] = [
    {"per_second": 0, "burst": 1},
    {"per_second": -1, "burst": 1},
    {"per_second": 1, "burst": 0},
    {"per_second": 1, "burst": 1.5},
    {"per_second": "many", "burst": 1},
    {"per_second": 1},
    {"per_second": 1, "burst": 1, "more": 1},
]


async def test_a_rate_that_makes_no_sense_changes_nothing(edge: Any) -> None:
    for rate in NO_RATES:
        edge.partners.entries[0]["limits"] = rate
        edge.partners.write()
        assert not await edge.live.context.dynamic.refresh(), rate
    assert _told(await edge.ask("GET", INFO))[0] == 200


class _Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_addresses_take_no_more_room_however_many_come(edge: Any) -> None:
    dynamic: dynconf.Configs = edge.live.context.dynamic
    clock = _Clock()
    limiter = actions.Limiter(dynamic, clock=clock)
    refused = 0
    for number in range(20_000):
        try:
            limiter.count_failure(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64")
        except model.RateLimitExceeded:
            refused += 1
    assert len(limiter._addresses) == actions.SLOTS
    assert refused == 0
    limiter = actions.Limiter(dynamic, clock=clock)
    burst = dynamic.get(config.FAILURES).burst
    for _ in range(burst):
        limiter.count_failure("192.0.2.1")
    with pytest.raises(model.RateLimitExceeded):
        limiter.count_failure("192.0.2.1")
    clock.now_s += 1
    limiter.count_failure("192.0.2.1")
