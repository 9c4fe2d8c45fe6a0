"""maas in a test: its routes on a port, its database, its neighbours mocked on the wire."""

import datetime
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit import caches, config, identity
from maas import app
from maas.metro import actions as metro
from testkit import clock, service
from testkit import neighbours as mocks
from testkit.waiting import until

CONFIG = Path(__file__).parents[3] / "deploy/local/config/maas.yaml"
NEIGHBOURS = ("personal", "user_api", "zalogin", "coupons", "masstransit", "vtb")


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """The dynamic config, of which `world.configured` changes what it likes; a test of another one overrides this."""
    return Path(shutil.copyfile(CONFIG, tmp_path / "dynamic.yaml"))


@pytest.fixture
async def maas(
    make_database: Callable[..., Any], neighbours: mocks.Neighbours, tmp_path: Path, dynamic: Path
) -> AsyncIterator[service.Live]:
    """A started maas."""
    async with (
        make_database(app.SERVICE.streams) as dsn,
        service.started(
            app.SERVICE,
            dsn=dsn,
            dynamic=dynamic,
            folder=tmp_path,
            neighbours=neighbours,
            names=NEIGHBOURS,
            token_salt=config.Secret("a salt for the tests"),
        ) as live,
    ):
        yield live


HOME = {"lat": 55.733969, "lon": 37.587093}
PARK_KULTURY = {"lat": 55.735150, "lon": 37.593030}
CROSSROADS = {"lat": 55.728000, "lon": 37.570000}
STOPS = [
    {
        "id": "metro:sokolnicheskaya:park-kultury",
        "name": "Парк культуры",
        "lines": [{"name": "Сокольническая", "color": "#E42313"}],
        "point": PARK_KULTURY,
    },
    {
        "id": "metro:sokolnicheskaya:frunzenskaya",
        "name": "Фрунзенская",
        "lines": [{"name": "Сокольническая", "color": "#E42313"}],
        "point": {"lat": 55.727462, "lon": 37.580220},
    },
    {
        "id": "metro:sokolnicheskaya:sportivnaya",
        "name": "Спортивная",
        "lines": [{"name": "Сокольническая", "color": "#E42313"}],
        "point": {"lat": 55.722388, "lon": 37.562041},
    },
]
TARIFF = {
    "tariff_id": "metro-taxi-10",
    "price": {"amount": "2990.00", "currency": "RUB"},
    "taxi_rides": 10,
    "duration_days": 30,
}


class World(service.World):
    """maas with its neighbours, and the few sentences that most tests begin with."""

    def __init__(self, maas: service.Live, neighbours: mocks.Neighbours) -> None:
        super().__init__(maas, neighbours)
        self.maas = maas
        self.tariff = TARIFF
        self.stops = STOPS
        self.home, self.station, self.crossroads = HOME, PARK_KULTURY, CROSSROADS
        neighbours.personal.on("POST", "/v1/phones/bulk_store", answer=_stored)
        neighbours.user_api.on(
            "POST", "/user_phones/by_personal/retrieve", answer={"code": "not_found", "message": ""}, status=404
        )
        neighbours.coupons.on("POST", "/internal/generate", answer=_generated)
        neighbours.vtb.on("POST", "/rides/taxi", answer={"accepted": True})

    async def partner(self, path: str, body: Any) -> service.Answer:
        """A call of the partner, as maas-authproxy passes it on."""
        return await self.maas.ask("maas-authproxy", "POST", f"/maas/v1/{path}", body)

    async def info(self, pass_id: str = "pass-1") -> Any:
        """What the partner sees of a subscription."""
        return (await self.partner("subscription/info", {"pass_id": pass_id})).body

    async def registered(self, maas_user_id: str = "user-1", phone: str = "+79161234567") -> str:
        """A person whom VTB registered; the id of the phone."""
        answer = await self.partner("users/create", {"maas_user_id": maas_user_id, "phone": phone})
        assert answer.status == 200, answer
        return _phone_id(phone)

    def sale(self, pass_id: str = "pass-1", maas_user_id: str = "user-1", **changed: Any) -> dict[str, Any]:
        """What the partner sends to reserve."""
        return {"pass_id": pass_id, "maas_user_id": maas_user_id, "tariff": TARIFF | changed}

    async def reserved(self, pass_id: str = "pass-1", maas_user_id: str = "user-1") -> None:
        """A reservation of a new person."""
        await self.registered(maas_user_id, phone=f"+7916{abs(hash(maas_user_id)) % 10**7:07}")
        answer = await self.partner("subscription/reserve", self.sale(pass_id, maas_user_id))
        assert answer.status == 200, answer

    async def activated(self, pass_id: str = "pass-1", maas_user_id: str = "user-1") -> None:
        """A paid subscription whose owner is not known in taxi."""
        await self.reserved(pass_id, maas_user_id)
        answer = await self.partner("subscription/activate", {"pass_id": pass_id})
        assert answer.status == 200, answer

    async def with_promocode(self, rides: int | None = None, yandex_uid: str = "4001") -> str:
        """A live subscription of the passenger `yandex_uid`, its promo code, with `rides` left if given."""
        await self.activated()
        await self.execute(
            "UPDATE users.users SET yandex_uid = %(uid)s, uid_kind = 'portal' WHERE maas_user_id = 'user-1'",
            uid=yandex_uid,
        )
        passenger = identity.Passenger(yandex_uid, flags=frozenset({"portal"}))
        shown = await self.maas.as_passenger(passenger, "GET", "/4.0/maas/v1/subscription/info")
        assert shown.status == 200, shown
        assert await self.maas.run_task("maas.promocode.issue") == ["done"]
        for number in range(0 if rides is None else TARIFF["taxi_rides"] - rides):  # type: ignore[operator]
            await self.execute(
                "INSERT INTO subscriptions.rides (order_id, pass_id, state) VALUES (%(order)s, 'pass-1', 'used')",
                order=f"earlier-{number}",
            )
        return "METRO-PASS-1"

    async def stations_loaded(self) -> None:
        """Brings the station catalogue in by its task."""
        self.neighbours.masstransit.on("GET", "/v2/stops", answer={"version": "v1", "stops": STOPS})
        await self.execute("SELECT 1")
        async with self.maas.context.db.transaction() as tx:
            await self.maas.context.queue.enqueue(tx, "maas.metro.refresh", task_id="now")
        assert await self.maas.run_task("maas.metro.refresh") == ["done"]
        await until(lambda: _has_stations(self.maas))

    async def pass_time(self, **span: float) -> None:
        """Lets time pass for subscriptions: `days=31`."""
        await self.pass_time_of("subscriptions", **span)

    async def pass_time_of(self, *schemas: str, **span: float) -> None:
        """Lets time pass for these schemas alone."""
        await clock.advance(self.maas.dsn, datetime.timedelta(**span), schemas=schemas)

    def trip(self, **changed: Any) -> dict[str, Any]:
        """A good ride to the metro."""
        return {
            "route": {"a": HOME, "b": PARK_KULTURY, "intermediate": []},
            "price": {"amount": "180.00", "currency": "RUB"},
            "payment_method": "card",
        } | changed

    async def hold(self, order_id: str = "order-1", **changed: Any) -> service.Answer:
        """Processing takes a ride."""
        body = {"order_id": order_id, "promocode": "METRO-PASS-1", "yandex_uid": "4001"} | self.trip() | changed
        return await self.maas.ask("processing", "POST", "/maas/v1/rides/hold", body)

    async def complete(self, order_id: str = "order-1", **changed: Any) -> service.Answer:
        """Processing ends a ride."""
        body = {"order_id": order_id} | self.trip() | changed
        return await self.maas.ask("processing", "POST", "/maas/v1/rides/complete", body)


def _has_stations(maas: service.Live) -> bool:
    try:
        maas.context.caches.get(metro.STATIONS)
    except caches.NotLoaded:
        return False
    return True


def _phone_id(phone: str) -> str:
    return hashlib.md5(phone.encode()).hexdigest()


def _stored(call: mocks.Call) -> dict[str, Any]:
    values = [item["value"] for item in call.json["items"]]
    return {"items": [{"id": _phone_id(value), "value": value} for value in values]}


def _generated(call: mocks.Call) -> dict[str, Any]:
    return {"promocode": f"METRO-{call.json['token'].upper()}", "series_id": call.json["series_id"]}


@pytest.fixture
async def world(maas: service.Live, neighbours: mocks.Neighbours) -> World:
    """maas with willing neighbours."""
    return World(maas, neighbours)
