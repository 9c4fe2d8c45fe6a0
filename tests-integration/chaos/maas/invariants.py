"""What must always hold of maas, read from its database and from the world around it; each answers what is wrong."""

from chaos.stage import Stage
from journeys.world import expect
from kit import pg

_BROKEN = {
    "two live subscriptions of one person": """
        SELECT maas_user_id FROM subscriptions.subscriptions WHERE status IN ('reserved', 'activated')
        GROUP BY maas_user_id HAVING count(*) > 1""",
    "rides beyond the tariff": """
        SELECT pass_id FROM subscriptions.subscriptions s WHERE taxi_rides <
        (SELECT count(*) FROM subscriptions.rides r WHERE r.pass_id = s.pass_id AND r.state <> 'released')""",
    "a count that is not the ledger's": """
        SELECT pass_id FROM subscriptions.subscriptions s WHERE rides_taken <>
        (SELECT count(*) FROM subscriptions.rides r WHERE r.pass_id = s.pass_id AND r.state <> 'released')""",
    "an activated and bound subscription without a promo code": """
        SELECT pass_id FROM subscriptions.subscriptions
        WHERE status = 'activated' AND yandex_uid IS NOT NULL AND promocode IS NULL""",
    "a person with an account whose live subscription has none": """
        SELECT s.pass_id FROM subscriptions.subscriptions s JOIN users.users u USING (maas_user_id)
        WHERE s.status = 'activated' AND u.yandex_uid IS NOT NULL AND s.yandex_uid IS NULL""",
    "a ride left held": "SELECT order_id FROM subscriptions.rides WHERE state = 'held'",
    "a task that died": "SELECT queue || ' ' || task_id FROM stq.tasks WHERE state = 'dead'",
}
_STATUSES = "SELECT pass_id, status FROM subscriptions.subscriptions WHERE pass_id = ANY (%(pass_ids)s::text[])"
_SOLD = "SELECT pass_id, promocode FROM subscriptions.subscriptions WHERE promocode IS NOT NULL"
_RIDDEN = "SELECT order_id, pass_id FROM subscriptions.rides WHERE state = 'used'"


def _pair(**row: str) -> tuple[str, str]:
    first, second = row.values()
    return first, second


async def broken(stage: Stage) -> list[str]:
    """Every invariant that does not hold now, when nothing is under way; none is well."""
    db = stage.databases["maas"]
    wrong = [f"{what}: {rows}" for what, sql in _BROKEN.items() if (rows := await db.all(pg.value, sql))]
    return [*wrong, *await _promises(stage, db), *await _codes(stage, db), *await _rides(stage, db)]


async def _promises(stage: Stage, db: pg.Database) -> list[str]:
    """What was answered 200 is there."""
    promised = stage.world.promised
    found = dict(await db.all(_pair, _STATUSES, pass_ids=list(promised)))
    return [
        f"{pass_id} was promised as {status} and is {found.get(pass_id)}"
        for pass_id, status in promised.items()
        if found.get(pass_id) != status
    ]


async def _codes(stage: Stage, db: pg.Database) -> list[str]:
    """Exactly one promo code per subscription, and the one that coupons made."""
    sold = dict(await db.all(_pair, _SOLD))
    made = expect(await stage.world.sandbox("GET", "/coupons/_codes"), 200)["codes"]
    by_token = {code["token"]: code["promocode"] for code in made}
    wrong = [
        f"the promo code of {pass_id} is another at coupons"
        for pass_id in sold
        if sold[pass_id] != by_token.get(pass_id)
    ]
    return wrong if len(by_token) == len(made) else [*wrong, "two promo codes of one subscription"]


async def _rides(stage: Stage, db: pg.Database) -> list[str]:
    """VTB knows each used ride, and no other."""
    ridden = dict(await db.all(_pair, _RIDDEN))
    told = expect(await stage.world.sandbox("GET", "/vtb/_rides"), 200)["rides"]
    known = {each["ride_id"]: each["pass_id"] for each in told}
    wrong = [f"VTB was told of {len(told)} rides that are {len(known)}"] if len(told) != len(known) else []
    return wrong if known == ridden else [*wrong, f"VTB and we differ about {sorted(known.items() ^ ridden.items())}"]
