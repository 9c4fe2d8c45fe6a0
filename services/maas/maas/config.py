"""Settings from `MAAS_*` and the names of the dynamic config."""

from dataclasses import dataclass

from marshmallow import fields as ma
from marshmallow import validate

from kit import dynconf, fields, http_client, process


@dataclass(frozen=True, kw_only=True)
class Config(process.Settings):
    """Where the neighbours are, on top of what every service reads."""

    personal_url: str
    user_api_url: str
    zalogin_url: str
    coupons_url: str
    masstransit_url: str
    vtb_url: str


class TariffVariantSchema(fields.Strict):
    """A tariff that was agreed with the partner: its conditions and the series its promo codes come from."""

    tariff_id = fields.Id(required=True)
    price = fields.amount_of_money(required=True)
    taxi_rides = fields.Whole(least=1, most=1000, required=True)
    duration_days = fields.Whole(least=1, most=366, required=True)
    promocode_series_id = fields.Id(required=True)


class GeoSchema(fields.Strict):
    """The rules of a ride, all distances straight-line, in metres (MA-82, MA-83)."""

    max_distance_m = fields.Whole(least=1, most=100_000, load_default=5000)
    station_radius_m = fields.Whole(least=1, most=10_000, load_default=300)
    station_radius_by_id_m = ma.Dict(
        keys=fields.Text(longest=128), values=fields.Whole(least=1, most=10_000), load_default=dict
    )
    zone_m = fields.Whole(least=1, most=100_000, load_default=5000)
    max_stations = fields.Whole(least=1, most=100, load_default=20)
    destination_tolerance_m = fields.Whole(least=1, most=10_000, load_default=300)
    price_limit = fields.amount_of_money(required=True)
    payment_methods = ma.List(ma.String(validate=validate.Length(max=32)), load_default=lambda: ["card"])


TARIFFS = dynconf.Value(
    "MAAS_TARIFFS", ma.List(ma.Nested(TariffVariantSchema)), "Tariffs that were agreed with the partner (MA-45 d)"
)
GEO = dynconf.Value("MAAS_GEO", ma.Nested(GeoSchema), "The rules of a ride by subscription (MA-90)")
RESERVE_TTL_S = dynconf.Value(
    "MAAS_RESERVE_TTL_S", fields.Whole(least=60, most=86_400), "How long a reservation waits for its payment"
)
VALUES = (TARIFFS, GEO, RESERVE_TTL_S, http_client.CLIENT_QOS)
