"""What is done with people."""

from clients import personal as personal_client
from kit import pg, stq
from maas.users import model, queries


async def create(
    *, db: pg.Database, queue: stq.Queue, personal: personal_client.Personal, maas_user_id: str, phone: str
) -> model.User:
    """Links a person of the metro to a phone and starts the search for an account (MA-33..35).

    Asking again with the same pair changes nothing. PhoneInvalid, PhoneAlreadyBound, MaasUserAlreadyBound.
    """
    personal_phone_id = await _stored(personal, phone)
    async with db.transaction() as tx:
        user = await link(db=tx, maas_user_id=maas_user_id, personal_phone_id=personal_phone_id)
        if not user.is_matched:
            await queue.enqueue(tx, "maas.user.match", task_id=maas_user_id, kwargs={"maas_user_id": maas_user_id})
    return user


async def update(
    *,
    db: pg.Database,
    queue: stq.Queue,
    personal: personal_client.Personal,
    is_allowed: bool,
    maas_user_id: str,
    phone: str,
) -> model.User:
    """Gives a person another phone (MA-23, MA-103), with what was known of that phone, and starts the search anew.

    The phone that the person has changes nothing. PhoneChangeNotSupported unless `is_allowed` (MA-25), PhoneInvalid,
    MaasUserNotFound, PhoneAlreadyBound.
    """
    if not is_allowed:
        raise model.PhoneChangeNotSupported
    personal_phone_id = await _stored(personal, phone)
    try:
        async with db.transaction() as tx:
            stranger = await queries.delete_unmatched(tx, personal_phone_id)
            account = stranger.account if stranger else None
            user = await queries.mark_phone(tx, maas_user_id, personal_phone_id, account)
            if user is None:
                return await get(db=tx, maas_user_id=maas_user_id)
            kwargs = {"maas_user_id": maas_user_id}
            await queue.enqueue(tx, "maas.user.match", task_id=maas_user_id, kwargs=kwargs, again=True)
    except pg.UniqueViolation as violation:
        if violation.constraint != "users_pkey":
            raise
        raise model.PhoneAlreadyBound from None
    return user


async def _stored(personal: personal_client.Personal, phone: str) -> str:
    try:
        return await personal.store_phone(model.normalized_phone(phone))
    except personal_client.PhoneInvalid:
        raise model.PhoneInvalid from None


async def link(*, db: pg.Executor, maas_user_id: str, personal_phone_id: str) -> model.User:
    """Links a person of the metro to a phone (MA-26); PhoneAlreadyBound, MaasUserAlreadyBound."""
    try:
        user = await queries.insert_link(db, personal_phone_id, maas_user_id)
    except pg.UniqueViolation as violation:
        if violation.constraint != "users_maas_user_id_key":
            raise
        raise model.MaasUserAlreadyBound from None
    if user is None:
        raise model.PhoneAlreadyBound
    return user


async def get(*, db: pg.Executor, maas_user_id: str) -> model.User:
    """The person; MaasUserNotFound."""
    user = await queries.find_by_maas_id(db, maas_user_id)
    if user is None:
        raise model.MaasUserNotFound
    return user


async def recognize(
    *, db: pg.Database, account: model.Account, personal_phone_id: str | None, recheck_after_s: int
) -> model.User | None:
    """The person behind a passenger, by account and else by phone; None for a stranger (MA-64, MA-65).

    A stranger with a phone is remembered, so that the first look-up ends the search for `recheck_after_s` seconds,
    unless the phone is another one (MA-68, MA-70).
    """
    user = await queries.find_by_uid(db, account.yandex_uid, recheck_after_s)
    if personal_phone_id is not None and (user is None or user.may_be_another(personal_phone_id)):
        user = await queries.find_by_phone(db, personal_phone_id)
        if user is None or user.maas_user_id is None:
            await queries.insert_unmatched(db, personal_phone_id, account)
    return _person(user)


async def recognize_by_phone_id(
    *, db: pg.Database, phone_id: str | None, personal_phone_id: str | None
) -> model.User | None:
    """The person behind a passenger by taxi's id of the phone, else by the phone; None for a stranger (MA-71)."""
    user = None if phone_id is None else await queries.find_by_phone_id(db, phone_id)
    if user is None and personal_phone_id is not None:
        user = await queries.find_by_phone(db, personal_phone_id)
    return _person(user)


def _person(user: model.User | None) -> model.User | None:
    return user if user is not None and user.maas_user_id is not None else None


async def bind(*, tx: pg.Transaction, maas_user_id: str, account: model.Account) -> model.User:
    """Binds an account to a person; one that has a portal account keeps it (MA-21).

    AccountAlreadyBound when the account is another person's.
    """
    try:
        user = await queries.mark_uid(tx, maas_user_id, account)
    except pg.UniqueViolation:
        raise model.AccountAlreadyBound from None
    return user or await get(db=tx, maas_user_id=maas_user_id)


async def release(*, tx: pg.Transaction, maas_user_id: str, account: model.Account) -> None:
    """Takes an account from any other person than this one, whose phone it has now (MA-29)."""
    await queries.mark_uid_free(tx, account.yandex_uid, maas_user_id=maas_user_id)


async def bind_phone_id(*, db: pg.Database, maas_user_id: str, phone_id: str) -> bool:
    """Remembers how taxi calls a person's phone (MA-39); False when taxi calls another person's so."""
    try:
        return await queries.mark_phone_id(db, maas_user_id, phone_id) > 0
    except pg.UniqueViolation:
        return False


async def may_search(*, db: pg.Database, maas_user_id: str, pause_s: int) -> bool:
    """True for one of all who ask, and for nobody else within `pause_s` seconds: that one may call zalogin (MA-70)."""
    return await queries.mark_asked(db, maas_user_id, pause_s=pause_s) > 0


async def remember_search(*, db: pg.Database, maas_user_id: str, recheck_after_s: int) -> None:
    """Ends a search that found no portal account; for `recheck_after_s` seconds nobody searches again (MA-70)."""
    await queries.mark_checked(db, maas_user_id, recheck_after_s=recheck_after_s)


async def purge(*, db: pg.Executor, days: int) -> int:
    """Forgets strangers who were not seen for `days` days; how many."""
    return await pg.in_batches(lambda limit: queries.delete_old(db, days=days, limit=limit))
