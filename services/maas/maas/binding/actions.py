"""The two ways of binding a person of the metro to an account of taxi."""

from clients import user_api as user_api_client
from clients import zalogin as zalogin_client
from kit import identity, metrics, pg, stq
from maas.subscriptions import actions as subscriptions
from maas.subscriptions.model import Subscription, SubscriptionNotFound
from maas.users import actions as users
from maas.users.model import Account, AccountAlreadyBound, UidKind, User

_MATCHES = metrics.counter("maas_matches_total", "Searches for the account of a person, by outcome", ("way", "outcome"))


async def match_by_phone(
    *,
    db: pg.Database,
    queue: stq.Queue,
    user_api: user_api_client.UserApi,
    zalogin: zalogin_client.Zalogin,
    maas_user_id: str,
) -> None:
    """Looks for the portal account of a registered phone; without exactly one it waits for the app (MA-36..38)."""
    user = await users.get(db=db, maas_user_id=maas_user_id)
    phone_id = None if user.is_matched else await user_api.find_phone_id(user.personal_phone_id)
    if phone_id is None:
        return
    portals = [found.yandex_uid for found in await zalogin.phone_info(phone_id) if found.kind == UidKind.PORTAL]
    _MATCHES.labels("phone", "found" if len(portals) == 1 else "waits").inc()
    if len(portals) == 1:
        await _bind(db, queue, maas_user_id, Account(portals[0], UidKind.PORTAL), "phone")


async def get_subscription(
    *, db: pg.Database, queue: stq.Queue, zalogin: zalogin_client.Zalogin, passenger: identity.Passenger
) -> Subscription:
    """The passenger's subscription; person, account and subscription are bound on the way (MA-64..67).

    subscriptions.SubscriptionNotFound, also for a stranger.
    """
    account = Account(passenger.yandex_uid, UidKind.PORTAL if passenger.is_portal else UidKind.PHONISH)
    user = await users.recognize(db=db, account=account, personal_phone_id=passenger.personal_phone_id)
    if user is None or user.maas_user_id is None:
        raise SubscriptionNotFound
    if user.accepts(account):
        user = await _bind(db, queue, user.maas_user_id, await _portal_of(zalogin, account), "app") or user
    found = await subscriptions.get_visible(db=db, maas_user_id=str(user.maas_user_id))
    if found.yandex_uid is None and (known := user.account) is not None:
        await _bind(db, queue, found.maas_user_id, known, "app")
        found = await subscriptions.get_visible(db=db, maas_user_id=found.maas_user_id)
    return found


async def _portal_of(zalogin: zalogin_client.Zalogin, account: Account) -> Account:
    if account.kind is UidKind.PORTAL:
        return account
    portal_uid = await zalogin.find_portal_uid(account.yandex_uid)
    return account if portal_uid is None else Account(portal_uid, UidKind.PORTAL)


async def _bind(db: pg.Database, queue: stq.Queue, maas_user_id: str, account: Account, way: str) -> User | None:
    try:
        async with db.transaction() as tx:
            user = await users.bind(tx=tx, maas_user_id=maas_user_id, account=account)
            if user.yandex_uid is not None:
                await subscriptions.bind_owner(
                    tx=tx, queue=queue, maas_user_id=maas_user_id, yandex_uid=user.yandex_uid
                )
    except AccountAlreadyBound:
        _MATCHES.labels(way, "taken").inc()
        return None
    return user
