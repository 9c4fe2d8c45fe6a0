import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from testkit import until
from testkit.neighbours import Call, Neighbours, Reply


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def forgiving() -> AsyncIterator[Neighbours]:
    """Neighbours that the test verifies by itself."""
    made = Neighbours()
    await made.start()
    yield made
    await made.close()


async def test_answers_what_it_was_told(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    neighbours.coupons.on("POST", "/internal/generate", {"promocode": "METRO1"}, status=201, headers={"X-A": "1"})
    async with http.post(f"{neighbours.coupons.url}/internal/generate?q=1", json={"token": "p-1"}) as response:
        assert (response.status, response.headers["X-A"]) == (201, "1")
        assert await response.json() == {"promocode": "METRO1"}
    (call,) = neighbours.coupons.calls("POST", "/internal/generate")
    assert (call.json, dict(call.query)) == ({"token": "p-1"}, {"q": "1"})
    assert neighbours.coupons.calls("GET") == []
    assert neighbours.vtb.calls() == []


async def test_answers_by_a_function_of_the_call(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    async def later(call: Call) -> Reply:
        return Reply({"id": call.args["pass_id"]}, status=202)

    neighbours.vtb.on("GET", "/subscriptions/{pass_id}", later)
    neighbours.vtb.on("GET", "/plain", lambda call: {"method": call.method})
    async with http.get(f"{neighbours.vtb.url}/subscriptions/p-1") as response:
        assert (response.status, await response.json()) == (202, {"id": "p-1"})
    async with http.get(f"{neighbours.vtb.url}/plain") as response:
        assert await response.json() == {"method": "GET"}


async def test_answers_the_later_mock_first_and_only_its_times(
    neighbours: Neighbours, http: aiohttp.ClientSession
) -> None:
    neighbours.vtb.on("GET", "/x", {"n": 1})
    second = neighbours.vtb.on("GET", "/x", {"n": 2}, times=1)
    seen = []
    for _ in range(2):
        async with http.get(f"{neighbours.vtb.url}/x") as response:
            seen.append((await response.json())["n"])
    assert seen == [2, 1]
    assert len(second.calls) == 1


async def test_fails_the_test_that_did_not_mock_a_call(forgiving: Neighbours, http: aiohttp.ClientSession) -> None:
    forgiving.vtb.on("GET", "/x", {})
    for method, path in (("GET", "/x/y"), ("POST", "/x")):
        async with http.request(method, forgiving.vtb.url + path) as response:
            assert response.status == 500
            assert (await response.json())["code"] == "not_mocked"
    assert len(forgiving.vtb.calls()) == 2
    with pytest.raises(AssertionError, match=r"did not mock:\n  GET vtb /x/y\n  POST vtb /x"):
        forgiving.verify()


async def test_does_not_take_a_part_of_a_path_for_the_path(forgiving: Neighbours, http: aiohttp.ClientSession) -> None:
    forgiving.vtb.on("GET", "/a.c/{id}", {})
    for path in ("/abc/1", "/a.c/1/2", "/a.c/"):
        async with http.get(forgiving.vtb.url + path) as response:
            assert response.status == 500


async def test_is_content_when_every_call_was_mocked(forgiving: Neighbours, http: aiohttp.ClientSession) -> None:
    forgiving.vtb.on("GET", "/x", {})
    async with http.get(f"{forgiving.vtb.url}/x"):
        pass
    forgiving.verify()


async def test_keeps_neighbours_apart(forgiving: Neighbours, http: aiohttp.ClientSession) -> None:
    forgiving.vtb.on("GET", "/x", {})
    async with http.get(f"{forgiving.coupons.url}/x") as response:
        assert response.status == 500


async def test_resets_the_connection(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    neighbours.vtb.fail("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.post(f"{neighbours.vtb.url}/any/path")
    assert len(neighbours.vtb.calls()) == 1


async def test_cuts_the_body(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    neighbours.vtb.fail("truncated")
    async with http.get(f"{neighbours.vtb.url}/x") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_answers_garbage_for_a_while(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    neighbours.vtb.on("GET", "/x", {"n": 1})
    neighbours.vtb.fail("garbage", times=1)
    async with http.get(f"{neighbours.vtb.url}/x") as response:
        with pytest.raises(ValueError, match="Expecting value"):
            await response.json()
    async with http.get(f"{neighbours.vtb.url}/x") as response:
        assert await response.json() == {"n": 1}


@pytest.mark.parametrize("fault", ["silent", "drip"])
async def test_keeps_the_caller_waiting(neighbours: Neighbours, http: aiohttp.ClientSession, fault: str) -> None:
    neighbours.vtb.fail(fault)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        async with http.get(f"{neighbours.vtb.url}/x", timeout=aiohttp.ClientTimeout(total=0.15)) as response:
            await response.read()


async def test_answers_late(neighbours: Neighbours, http: aiohttp.ClientSession) -> None:
    neighbours.vtb.on("GET", "/x", {}, delay_s=0.1)
    started = asyncio.get_running_loop().time()
    async with http.get(f"{neighbours.vtb.url}/x"):
        assert asyncio.get_running_loop().time() - started >= 0.1


async def test_closes_although_somebody_waits(http: aiohttp.ClientSession) -> None:
    made = Neighbours()
    await made.start()
    made.vtb.fail("silent")
    call = asyncio.ensure_future(http.get(f"{made.vtb.url}/x"))
    await until(lambda: made.vtb.calls())
    async with asyncio.timeout(5):
        await made.close()
    with pytest.raises(aiohttp.ClientError):
        await call


async def test_forgets_on_reset(forgiving: Neighbours, http: aiohttp.ClientSession) -> None:
    forgiving.vtb.on("GET", "/x", {})
    async with http.get(f"{forgiving.vtb.url}/x"):
        pass
    forgiving.vtb.reset()
    assert forgiving.vtb.calls() == []
    async with http.get(f"{forgiving.vtb.url}/x") as response:
        assert response.status == 500
