"""SQL of what support looks at; people and subscriptions are asked apart (MA-16)."""

from collections.abc import Iterable, Sequence

from kit import pg
from maas.support import model

LIST_BUYERS = """
SELECT maas_user_id FROM subscriptions.subscriptions
WHERE (pass_id = %(pass_id)s OR yandex_uid = %(yandex_uid)s
       OR pass_id = (SELECT pass_id FROM subscriptions.rides WHERE order_id = %(order_id)s)
       OR maas_user_id = %(maas_user_id)s)
GROUP BY maas_user_id ORDER BY maas_user_id
"""


async def list_buyers(db: pg.Executor, by: model.By, value: str) -> list[str]:
    """Who bought what goes by `value`."""
    names: dict[str, str | None] = {"pass_id": None, "yandex_uid": None, "order_id": None, "maas_user_id": None}
    return await db.all(pg.value, LIST_BUYERS, **names | ({by.value: value} if by.value in names else {}))


LIST_PERSONS = """
SELECT maas_user_id, personal_phone_id, yandex_uid, uid_kind, phone_id, checked_at, created_at FROM users.users
WHERE (maas_user_id = ANY(%(maas_user_ids)s) OR maas_user_id = %(maas_user_id)s OR yandex_uid = %(yandex_uid)s
       OR personal_phone_id = %(personal_phone_id)s)
ORDER BY maas_user_id IS NULL, maas_user_id, personal_phone_id
"""


async def list_persons(
    db: pg.Executor, by: model.By, value: str, *, maas_user_ids: Sequence[str]
) -> list[model.Person]:
    """Those persons, and whoever else goes by `value`."""
    names: dict[str, str | None] = {"maas_user_id": None, "yandex_uid": None, "personal_phone_id": None}
    asked = names | ({by.value: value} if by.value in names else {})
    return await db.all(model.Person, LIST_PERSONS, maas_user_ids=list(maas_user_ids), **asked)


LIST_HISTORIES = """
SELECT pass_id, created_at, canceled_at, expired_at, revoke_reason FROM subscriptions.subscriptions
WHERE maas_user_id = %(maas_user_id)s
ORDER BY (status IN ('reserved', 'activated')) DESC, created_at DESC, pass_id
"""


async def list_histories(db: pg.Executor, maas_user_id: str) -> list[model.History]:
    """The person's subscriptions: the live one, then the others from the last to the first."""
    return await db.all(model.History, LIST_HISTORIES, maas_user_id=maas_user_id)


LIST_RIDES = """
SELECT order_id, pass_id, state, reason, price AS amount, currency, held_at, finished_at FROM subscriptions.rides
WHERE pass_id = ANY(%(pass_ids)s)
ORDER BY held_at DESC, order_id
"""


async def list_rides(db: pg.Executor, pass_ids: Sequence[str]) -> list[model.Ride]:
    """The rides of these subscriptions, the last first."""
    return await db.all(model.Ride.from_row, LIST_RIDES, pass_ids=list(pass_ids))


LIST_TASKS = """
SELECT t.id, t.queue, t.task_id, t.state, t.attempt, t.due_at, t.last_error
FROM stq.tasks t
JOIN unnest(%(queues)s::text[], %(task_ids)s::text[]) AS asked (queue, task_id)
  ON t.queue = asked.queue AND t.task_id = asked.task_id
WHERE t.state <> 'done'
ORDER BY t.id
"""


async def list_tasks(db: pg.Executor, named: Iterable[tuple[str, str]]) -> list[model.Task]:
    """Those of these tasks that are not done."""
    pairs = list(named)
    return await db.all(
        model.Task, LIST_TASKS, queues=[queue for queue, _ in pairs], task_ids=[task_id for _, task_id in pairs]
    )


MARK_REVOKED = """
UPDATE subscriptions.subscriptions
SET status = 'canceled', cancel_reason = 'revoked_by_support', revoke_reason = %(reason)s, canceled_at = now()
WHERE pass_id = %(pass_id)s AND status = 'activated' AND expiration_datetime > now()
"""


async def mark_revoked(db: pg.Executor, pass_id: str, reason: str) -> int:
    """Ends an active subscription for good; 0 when it is none."""
    return await db.run(MARK_REVOKED, pass_id=pass_id, reason=reason)
