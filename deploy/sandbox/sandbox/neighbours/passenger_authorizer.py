"""The gateway of the app: it knows who a session belongs to, says so in headers and passes the request on.

Whatever identity the app itself claims is dropped: only the headers named here go on.
"""

from collections.abc import Mapping
from typing import Any

from sandbox import gateway, languages, people, state, wire, world

GATEWAY = gateway.Gateway(
    name="passenger-authorizer",
    strip="/passenger",
    owners=(
        ("/4.0/maas/", "maas"),
        ("/4.0/music/", "music"),
        ("/4.0/coop_account", "shared-payments"),
        ("/4.0/plus/", "plus"),
    ),
)


async def forward(here: world.World, call: wire.Call) -> Any:
    """Authorises and forwards to the service that owns the path; its answer comes back as it is."""
    person = people.of_app(here, call.headers)
    return await GATEWAY.pass_on(here, call, _identity(here, person, call))


def _identity(here: world.World, person: state.Person, call: wire.Call) -> Mapping[str, str]:
    bound = [one.yandex_uid for one in people.with_phone_id(here, person.phone_id) if one is not person]
    return {
        "X-Yandex-UID": person.yandex_uid,
        "X-YaTaxi-UserId": person.user_id,
        "X-YaTaxi-PhoneId": person.phone_id,
        "X-YaTaxi-User": f"personal_phone_id={person.personal_phone_id}",
        "X-YaTaxi-Pass-Flags": ",".join(people.flags(person)),
        "X-YaTaxi-Bound-Uids": ",".join(bound),
        "X-Remote-IP": call.raw.remote or "127.0.0.1",
        "X-Request-Language": languages.of(call.headers),
        "X-Request-Application": call.headers.get("X-Request-Application", "app_name=iphone"),
    }


NEIGHBOUR = wire.Neighbour(
    name=GATEWAY.name,
    prefix=GATEWAY.strip,
    refusal=(401, "unauthorized"),
    routes=(wire.Route("*", "/{tail:.*}", forward, is_proxy=True),),
)
