"""SQL of `users.users`."""

from kit import pg
from maas.users import model

_COLUMNS = "personal_phone_id, maas_user_id, yandex_uid, uid_kind, phone_id, checked_at IS NOT NULL AS is_checked"

FIND_BY_MAAS_ID = f"SELECT {_COLUMNS} FROM users.users WHERE maas_user_id = %(maas_user_id)s"  # noqa: S608


async def find_by_maas_id(db: pg.Executor, maas_user_id: str) -> model.User | None:
    """The person whom VTB calls `maas_user_id`."""
    return await db.maybe(model.User, FIND_BY_MAAS_ID, maas_user_id=maas_user_id)


FIND_BY_UID = f"""
SELECT {_COLUMNS}, (checked_at < now() - make_interval(secs => %(recheck_after_s)s)) IS TRUE AS is_stale
FROM users.users WHERE yandex_uid = %(yandex_uid)s
ORDER BY maas_user_id IS NULL, updated_at DESC LIMIT 1
"""  # noqa: S608


async def find_by_uid(db: pg.Executor, yandex_uid: str, recheck_after_s: int) -> model.User | None:
    """The row of this account, one with a `maas_user_id` first."""
    return await db.maybe(model.User, FIND_BY_UID, yandex_uid=yandex_uid, recheck_after_s=recheck_after_s)


FIND_BY_PHONE = f"SELECT {_COLUMNS} FROM users.users WHERE personal_phone_id = %(personal_phone_id)s"  # noqa: S608


async def find_by_phone(db: pg.Executor, personal_phone_id: str) -> model.User | None:
    """The row of this phone."""
    return await db.maybe(model.User, FIND_BY_PHONE, personal_phone_id=personal_phone_id)


FIND_BY_PHONE_ID = f"""
SELECT {_COLUMNS} FROM users.users WHERE phone_id = %(phone_id)s AND maas_user_id IS NOT NULL
"""  # noqa: S608


async def find_by_phone_id(db: pg.Executor, phone_id: str) -> model.User | None:
    """The person to whom taxi gave this `phone_id`."""
    return await db.maybe(model.User, FIND_BY_PHONE_ID, phone_id=phone_id)


INSERT_LINK = f"""
WITH anothers AS (
    SELECT o.yandex_uid FROM users.users o, users.users mine
    WHERE mine.personal_phone_id = %(personal_phone_id)s AND o.yandex_uid = mine.yandex_uid
      AND o.maas_user_id IS NOT NULL AND o.personal_phone_id <> mine.personal_phone_id
)
INSERT INTO users.users AS u (personal_phone_id, maas_user_id) VALUES (%(personal_phone_id)s, %(maas_user_id)s)
ON CONFLICT (personal_phone_id) DO UPDATE
SET maas_user_id = excluded.maas_user_id, updated_at = now(),
    checked_at = CASE WHEN u.maas_user_id IS NOT NULL THEN u.checked_at END,
    yandex_uid = CASE WHEN NOT EXISTS (SELECT FROM anothers) THEN u.yandex_uid END,
    uid_kind = CASE WHEN NOT EXISTS (SELECT FROM anothers) THEN u.uid_kind END
WHERE u.maas_user_id IS NULL OR u.maas_user_id = excluded.maas_user_id
RETURNING {_COLUMNS}
"""  # noqa: S608


async def insert_link(db: pg.Executor, personal_phone_id: str, maas_user_id: str) -> model.User | None:
    """Links phone and person; None when the phone has another person. An account that is another's is let go."""
    return await db.maybe(model.User, INSERT_LINK, personal_phone_id=personal_phone_id, maas_user_id=maas_user_id)


DELETE_UNMATCHED = f"""
DELETE FROM users.users WHERE personal_phone_id = %(personal_phone_id)s AND maas_user_id IS NULL RETURNING {_COLUMNS}
"""  # noqa: S608


async def delete_unmatched(db: pg.Executor, personal_phone_id: str) -> model.User | None:
    """Takes away the row of a phone that has no person; what was in it."""
    return await db.maybe(model.User, DELETE_UNMATCHED, personal_phone_id=personal_phone_id)


MARK_PHONE = f"""
WITH fresh AS (
    SELECT %(yandex_uid)s::text AS yandex_uid, %(uid_kind)s::text AS uid_kind
    WHERE NOT EXISTS (
        SELECT FROM users.users o WHERE o.yandex_uid = %(yandex_uid)s AND o.maas_user_id <> %(maas_user_id)s)
)
UPDATE users.users u
SET personal_phone_id = %(personal_phone_id)s, phone_id = NULL, checked_at = NULL, ask_after = NULL, updated_at = now(),
    yandex_uid = CASE WHEN u.uid_kind = 'portal' THEN u.yandex_uid ELSE (SELECT yandex_uid FROM fresh) END,
    uid_kind = CASE WHEN u.uid_kind = 'portal' THEN u.uid_kind ELSE (SELECT uid_kind FROM fresh) END
WHERE maas_user_id = %(maas_user_id)s AND personal_phone_id <> %(personal_phone_id)s
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_phone(
    db: pg.Executor, maas_user_id: str, personal_phone_id: str, account: model.Account | None
) -> model.User | None:
    """Gives a person another phone; None when the phone is theirs already, or there is no such person.

    A portal account stays; a phonish one belongs to the old phone and gives way to `account`, that of the new one.
    """
    return await db.maybe(
        model.User,
        MARK_PHONE,
        maas_user_id=maas_user_id,
        personal_phone_id=personal_phone_id,
        yandex_uid=account.yandex_uid if account else None,
        uid_kind=account.kind if account else None,
    )


MARK_UID = f"""
UPDATE users.users SET yandex_uid = %(yandex_uid)s, uid_kind = %(uid_kind)s, updated_at = now()
WHERE maas_user_id = %(maas_user_id)s AND (yandex_uid IS NULL OR yandex_uid = %(yandex_uid)s OR uid_kind = 'phonish')
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_uid(db: pg.Executor, maas_user_id: str, account: model.Account) -> model.User | None:
    """Binds an account; None when the person has another portal account already, which is kept (MA-21)."""
    return await db.maybe(
        model.User, MARK_UID, maas_user_id=maas_user_id, yandex_uid=account.yandex_uid, uid_kind=account.kind
    )


MARK_UID_FREE = """
UPDATE users.users SET yandex_uid = NULL, uid_kind = NULL, updated_at = now()
WHERE yandex_uid = %(yandex_uid)s AND maas_user_id <> %(maas_user_id)s
"""


async def mark_uid_free(db: pg.Executor, yandex_uid: str, *, maas_user_id: str) -> int:
    """Takes an account from everybody but this person; from how many."""
    return await db.run(MARK_UID_FREE, yandex_uid=yandex_uid, maas_user_id=maas_user_id)


MARK_PHONE_ID = """
UPDATE users.users SET phone_id = %(phone_id)s, updated_at = now() WHERE maas_user_id = %(maas_user_id)s
"""


async def mark_phone_id(db: pg.Executor, maas_user_id: str, phone_id: str) -> int:
    """Remembers how taxi calls this person's phone; UniqueViolation when that is another person's."""
    return await db.run(MARK_PHONE_ID, maas_user_id=maas_user_id, phone_id=phone_id)


MARK_ASKED = """
UPDATE users.users SET ask_after = now() + make_interval(secs => %(pause_s)s)
WHERE maas_user_id = %(maas_user_id)s AND (ask_after IS NULL OR ask_after <= now())
"""


async def mark_asked(db: pg.Executor, maas_user_id: str, *, pause_s: int) -> int:
    """Takes the right to search this person's account, so that nobody else does for `pause_s` s; 0 when it is taken."""
    return await db.run(MARK_ASKED, maas_user_id=maas_user_id, pause_s=pause_s)


MARK_CHECKED = """
UPDATE users.users SET checked_at = now(), ask_after = now() + make_interval(secs => %(recheck_after_s)s)
WHERE maas_user_id = %(maas_user_id)s
"""


async def mark_checked(db: pg.Executor, maas_user_id: str, *, recheck_after_s: int) -> int:
    """Remembers for `recheck_after_s` s that the search found no portal account (MA-70)."""
    return await db.run(MARK_CHECKED, maas_user_id=maas_user_id, recheck_after_s=recheck_after_s)


INSERT_UNMATCHED = """
INSERT INTO users.users (personal_phone_id, yandex_uid, uid_kind, checked_at)
VALUES (%(personal_phone_id)s, %(yandex_uid)s, %(uid_kind)s, now())
ON CONFLICT (personal_phone_id) DO UPDATE
SET yandex_uid = excluded.yandex_uid, uid_kind = excluded.uid_kind, checked_at = now(), updated_at = now()
WHERE users.maas_user_id IS NULL
"""


async def insert_unmatched(db: pg.Executor, personal_phone_id: str, account: model.Account) -> None:
    """Remembers that nobody of the metro has this phone; the fresher account of a phone wins (MA-68, MA-69)."""
    await db.run(
        INSERT_UNMATCHED,
        personal_phone_id=personal_phone_id,
        yandex_uid=account.yandex_uid,
        uid_kind=account.kind,
    )


DELETE_OLD = """
DELETE FROM users.users WHERE personal_phone_id IN (
    SELECT personal_phone_id FROM users.users
    WHERE maas_user_id IS NULL AND checked_at < now() - make_interval(days => %(days)s)
    ORDER BY checked_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


async def delete_old(db: pg.Executor, *, days: int, limit: int) -> int:
    """Forgets at most `limit` strangers who were not seen for `days` days; how many."""
    return await db.run(DELETE_OLD, days=days, limit=limit)
