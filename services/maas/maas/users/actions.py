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
    try:
        personal_phone_id = await personal.store_phone(model.normalized_phone(phone))
    except personal_client.PhoneInvalid:
        raise model.PhoneInvalid from None
    try:
        async with db.transaction() as tx:
            user = await queries.insert_link(tx, personal_phone_id, maas_user_id)
            if user is None:
                raise model.PhoneAlreadyBound
            if not user.is_matched:
                await queue.enqueue(tx, "maas.user.match", task_id=maas_user_id, kwargs={"maas_user_id": maas_user_id})
    except pg.UniqueViolation as violation:
        if violation.constraint != "users_maas_user_id_key":
            raise
        raise model.MaasUserAlreadyBound from None
    return user


async def get(*, db: pg.Executor, maas_user_id: str) -> model.User:
    """The person; MaasUserNotFound."""
    user = await queries.find_by_maas_id(db, maas_user_id)
    if user is None:
        raise model.MaasUserNotFound
    return user


async def recognize(*, db: pg.Database, account: model.Account, personal_phone_id: str | None) -> model.User | None:
    """The person behind a passenger, by account and else by phone; None for a stranger (MA-64, MA-65).

    A stranger with a phone is remembered, so that the next time the first look-up ends the search (MA-68, MA-70).
    """
    user = await queries.find_by_uid(db, account.yandex_uid)
    if user is None and personal_phone_id is not None:
        user = await queries.find_by_phone(db, personal_phone_id)
        if user is None or user.maas_user_id is None:
            await queries.insert_unmatched(db, personal_phone_id, account)
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
