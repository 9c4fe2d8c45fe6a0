"""The demo people: who they are to the gateway, to `user-api` and to `zalogin`."""

from multidict import MultiMapping

from sandbox import fields, state, wire, world


class NewPerson(fields.Strict):
    """`POST /_people`."""

    phone = fields.phone(required=True)
    yandex_uid = fields.uid()
    uid_kind = fields.Text("portal|phonish", load_default="portal")
    in_taxi = fields.Flag(load_default=True)
    has_plus = fields.Flag()


async def create(here: world.World, call: wire.Call) -> object:
    """Makes a person, or brings the one with this uid (without a uid: with this phone and kind) up to date.

    A uid that belongs to another phone moves to this one, as when a person changes the number. Without `has_plus` that
    stays as it was.
    """
    body = call.body
    person = _found(here, body) or _new(here, body)
    person.phone, person.uid_kind, person.in_taxi = body["phone"], body["uid_kind"], body["in_taxi"]
    person.has_plus = body.get("has_plus", person.has_plus)
    person.phone_id = phone_id(person.phone)
    person.personal_phone_id = personal_phone_id(here, person.phone)
    here.store.save()
    shown = ("session", "yandex_uid", "phone_id", "personal_phone_id")
    return {name: getattr(person, name) for name in shown}


def by_session(here: world.World, session: str) -> state.Person:
    """The person of a session; 401 when there is none."""
    for person in here.store.state.people.values():
        if person.session == session:
            return person
    raise wire.Refused(401, "unauthorized", "The session is not known.")


def of_app(here: world.World, headers: MultiMapping[str]) -> state.Person:
    """The person whose session the app sends; 401 when it sends none that is known."""
    scheme, _, session = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not session:
        raise wire.Refused(401, "unauthorized", "The header Authorization: Bearer <session> is missing.")
    return by_session(here, session)


def flags(person: state.Person) -> list[str]:
    """What the gateway and order processing say of the account: `portal` or `phonish`, and `ya-plus`."""
    return [person.uid_kind, *(["ya-plus"] if person.has_plus else [])]


def with_phone_id(here: world.World, wanted: str) -> list[state.Person]:
    """Everybody who uses taxi with this phone, in the order of their uids."""
    people = here.store.state.people
    return [people[uid] for uid in sorted(people) if people[uid].phone_id == wanted and people[uid].in_taxi]


def phone_id(phone: str) -> str:
    """The id of a phone in `user-api`: 24 hex digits."""
    return state.stable_id("user-api", phone, 24)


def personal_phone_id(here: world.World, phone: str) -> str:
    """The id of a phone in `personal`: 32 hex digits; remembered, so that it can be turned back. The caller saves."""
    found = state.stable_id("personal", phone, 32)
    here.store.state.phones[found] = phone
    return found


def _found(here: world.World, body: dict[str, str]) -> state.Person | None:
    people = here.store.state.people
    if "yandex_uid" in body:
        return people.get(body["yandex_uid"])
    same = (one for one in people.values() if (one.phone, one.uid_kind) == (body["phone"], body["uid_kind"]))
    return next(same, None)


def _new(here: world.World, body: dict[str, str]) -> state.Person:
    people = here.store.state.people
    uid = body.get("yandex_uid") or str(4_000_000_000 + len(people) + 1)
    while uid in people and "yandex_uid" not in body:
        uid = str(int(uid) + 1)
    people[uid] = state.Person(
        session=state.fresh_id(),
        phone=body["phone"],
        yandex_uid=uid,
        uid_kind=body["uid_kind"],
        in_taxi=True,
        phone_id="",
        personal_phone_id="",
        user_id=state.stable_id("user", uid, 32),
    )
    return people[uid]


DOORS = (wire.Route("POST", "/_people", create, body=NewPerson()),)
