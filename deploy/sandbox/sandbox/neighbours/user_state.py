"""`user-state` keeps what a person chose in the app, so that it is chosen again (MA-81)."""

from typing import Any

import marshmallow as ma

from sandbox import fields, people, verticals, wire, world


class PaymentMethod(fields.Strict):
    """How the person pays: `id` names the card."""

    type = fields.Text("card|cash", required=True)
    id = fields.opaque()


class Options(fields.Strict):
    """What is chosen in one vertical."""

    payment_method = ma.fields.Nested(PaymentMethod, required=True)


class PersonalState(fields.Strict):
    """`PUT /personalstate`: the verticals that it names are replaced, the others stay."""

    selected_options_in_verticals = ma.fields.Dict(
        keys=fields.Text("|".join(verticals.IDS)), values=ma.fields.Nested(Options), required=True
    )


async def show(here: world.World, call: wire.Call) -> Any:
    """What the person has chosen so far."""
    person = people.of_app(here, call.headers)
    return {"selected_options_in_verticals": here.store.state.personal_states.get(person.yandex_uid, {})}


async def keep(here: world.World, call: wire.Call) -> Any:
    """Keeps what was chosen; a payment method that the vertical does not take is refused."""
    person = people.of_app(here, call.headers)
    chosen = call.body["selected_options_in_verticals"]
    for vertical_id, options in chosen.items():
        if options["payment_method"]["type"] not in verticals.get(vertical_id).payment_methods:
            raise wire.Refused(409, "payment_method_not_allowed", vertical=vertical_id)
    here.store.state.personal_states.setdefault(person.yandex_uid, {}).update(chosen)
    here.store.save()
    return await show(here, call)


NEIGHBOUR = wire.Neighbour(
    name="user-state",
    prefix="/passenger",
    refusal=(409, "state_conflict"),
    is_behind_gateway=True,
    routes=(
        wire.Route("GET", "/personalstate", show),
        wire.Route("PUT", "/personalstate", keep, body=PersonalState()),
    ),
)
