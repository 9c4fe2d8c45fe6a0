"""SQL of `users.users`."""

from kit import pg
from maas.users import model

_COLUMNS = "personal_phone_id, maas_user_id, yandex_uid, uid_kind"

FIND_BY_MAAS_ID = f"SELECT {_COLUMNS} FROM users.users WHERE maas_user_id = %(maas_user_id)s"  # noqa: S608


async def find_by_maas_id(db: pg.Executor, maas_user_id: str) -> model.User | None:
    """The person whom VTB calls `maas_user_id`."""
    return await db.maybe(model.User, FIND_BY_MAAS_ID, maas_user_id=maas_user_id)


FIND_BY_UID = f"""
SELECT {_COLUMNS} FROM users.users WHERE yandex_uid = %(yandex_uid)s
ORDER BY maas_user_id IS NULL, updated_at DESC LIMIT 1
"""  # noqa: S608


async def find_by_uid(db: pg.Executor, yandex_uid: str) -> model.User | None:
    """The row of this account, one with a `maas_user_id` first."""
    return await db.maybe(model.User, FIND_BY_UID, yandex_uid=yandex_uid)


FIND_BY_PHONE = f"SELECT {_COLUMNS} FROM users.users WHERE personal_phone_id = %(personal_phone_id)s"  # noqa: S608


async def find_by_phone(db: pg.Executor, personal_phone_id: str) -> model.User | None:
    """The row of this phone."""
    return await db.maybe(model.User, FIND_BY_PHONE, personal_phone_id=personal_phone_id)


INSERT_LINK = f"""
WITH anothers AS (
    SELECT o.yandex_uid FROM users.users o, users.users mine
    WHERE mine.personal_phone_id = %(personal_phone_id)s AND o.yandex_uid = mine.yandex_uid
      AND o.maas_user_id IS NOT NULL AND o.personal_phone_id <> mine.personal_phone_id
)
INSERT INTO users.users AS u (personal_phone_id, maas_user_id) VALUES (%(personal_phone_id)s, %(maas_user_id)s)
ON CONFLICT (personal_phone_id) DO UPDATE
SET maas_user_id = excluded.maas_user_id, updated_at = now(),
    yandex_uid = CASE WHEN NOT EXISTS (SELECT FROM anothers) THEN u.yandex_uid END,
    uid_kind = CASE WHEN NOT EXISTS (SELECT FROM anothers) THEN u.uid_kind END
WHERE u.maas_user_id IS NULL OR u.maas_user_id = excluded.maas_user_id
RETURNING {_COLUMNS}
"""  # noqa: S608


async def insert_link(db: pg.Executor, personal_phone_id: str, maas_user_id: str) -> model.User | None:
    """Links phone and person; None when the phone has another person. An account that is another's is let go."""
    return await db.maybe(model.User, INSERT_LINK, personal_phone_id=personal_phone_id, maas_user_id=maas_user_id)


MARK_UID = f"""
UPDATE users.users SET yandex_uid = %(yandex_uid)s, uid_kind = %(uid_kind)s, checked_at = NULL, updated_at = now()
WHERE maas_user_id = %(maas_user_id)s AND (yandex_uid IS NULL OR yandex_uid = %(yandex_uid)s OR uid_kind = 'phonish')
RETURNING {_COLUMNS}
"""  # noqa: S608


async def mark_uid(db: pg.Executor, maas_user_id: str, account: model.Account) -> model.User | None:
    """Binds an account; None when the person has another portal account already, which is kept (MA-21)."""
    return await db.maybe(
        model.User, MARK_UID, maas_user_id=maas_user_id, yandex_uid=account.yandex_uid, uid_kind=account.kind
    )


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
