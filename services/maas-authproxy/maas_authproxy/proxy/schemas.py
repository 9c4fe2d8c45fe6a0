"""Shapes for the description of the API alone: maas judges what is in a body, the table which query keys there are."""

from typing import Any

import marshmallow

from kit import fields
from maas_authproxy.proxy import model


class AnySchema(marshmallow.Schema):
    """Any JSON object; its fields are those of the same route of maas."""

    class Meta:
        unknown = marshmallow.INCLUDE


ANY = AnySchema()


def query_of(way: model.Way) -> marshmallow.Schema | None:
    """The query keys of a way, each a text."""
    if not way.query:
        return None
    described: dict[str, marshmallow.fields.Field[Any]] = {key: marshmallow.fields.String() for key in way.query}
    return fields.Strict.from_dict(described, name=f"{way.name}_query")()
