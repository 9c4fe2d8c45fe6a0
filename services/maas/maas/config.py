"""Settings from `MAAS_*` and the names of the dynamic config."""

from dataclasses import dataclass, field

from marshmallow import fields as ma
from marshmallow import validate

from kit import config, dynconf, fields, http_client, process

_SHORTEST_SALT = 16


@dataclass(frozen=True, kw_only=True)
class Config(process.Settings):
    """Where the neighbours are and what purchase tokens are salted with, on top of what every service reads."""

    personal_url: str
    user_api_url: str
    zalogin_url: str
    coupons_url: str
    masstransit_url: str
    vtb_url: str
    token_salt: config.Secret = field(metadata={"help": "hashed with every purchase token, at least 16 characters"})

    def __post_init__(self) -> None:
        if len(self.token_salt.reveal()) < _SHORTEST_SALT:
            raise ValueError(f"token_salt has less than {_SHORTEST_SALT} characters")


class TariffVariantSchema(fields.Strict):
    """A tariff that was agreed with the partner: its conditions and the series its promo codes come from.

    `budget` is how many subscriptions of this `tariff_id` may be sold, null for as many as are wanted (MA-45 a).
    """

    tariff_id = fields.Id(required=True)
    price = fields.amount_of_money(required=True)
    taxi_rides = fields.Whole(least=1, most=1000, required=True)
    duration_days = fields.Whole(least=1, most=366, required=True)
    promocode_series_id = fields.Id(required=True)
    budget = fields.Whole(least=0, most=10_000_000, allow_none=True, load_default=None)


class AntifraudSchema(fields.Strict):
    """Who is not sold anything: these people, and whoever reserved so often within 24 hours (MA-45 c)."""

    denied_maas_user_ids = ma.List(fields.Id(), validate=validate.Length(max=10_000), load_default=list)
    reservations_per_day = fields.Whole(least=1, most=10_000, allow_none=True, load_default=None)


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


class MatchingSchema(fields.Strict):
    """How people of the metro are found in taxi: `phone_id` is the way that asks no other service (MA-29).

    zalogin is asked about a person once in `recheck_after_s`; after a failure, again when `retry_after_s` have passed.
    """

    by = ma.String(validate=validate.OneOf(("yandex_uid", "phone_id")), load_default="yandex_uid")
    recheck_after_s = fields.Whole(least=1, most=31_536_000, load_default=86_400)
    retry_after_s = fields.Whole(least=1, most=86_400, load_default=10)


class PurchaseSchema(fields.Strict):
    """Where the bank sells, and how long a purchase may take to be reserved there (MA-57, MA-58)."""

    webview_url = ma.Url(schemes={"http", "https"}, require_tld=False, required=True)
    token_ttl_s = fields.Whole(least=60, most=86_400, load_default=1800)


class ScreenSchema(fields.Strict):
    """What the purchase screen says in one language, apart from the tariffs."""

    title = fields.Text(required=True)
    subtitle = fields.Text(required=True)
    buy_button = fields.Text(longest=64, required=True)
    phone_notice = fields.Text(required=True)
    terms_title = fields.Text(longest=64, required=True)
    terms_url = ma.Url(schemes={"https"}, required=True)


class TariffTextSchema(fields.Strict):
    """What the purchase screen says of one tariff in one language."""

    title = fields.Text(required=True)
    description = fields.Text(longest=1024, required=True)
    details = ma.List(fields.Text(), validate=validate.Length(max=20), load_default=list)


class ScreensSchema(fields.Strict):
    """The screen in every language."""

    ru = ma.Nested(ScreenSchema, required=True)
    en = ma.Nested(ScreenSchema, required=True)


class TariffTextsSchema(fields.Strict):
    """A tariff in every language."""

    ru = ma.Nested(TariffTextSchema, required=True)
    en = ma.Nested(TariffTextSchema, required=True)


class ProductSchema(fields.Strict):
    """The texts of the purchase screen (MA-54); a tariff without its own is described by its conditions."""

    ui = ma.Nested(ScreensSchema, required=True)
    tariffs = ma.Dict(keys=fields.Id(), values=ma.Nested(TariffTextsSchema), load_default=dict)


class RetentionSchema(fields.Strict):
    """How many days what is over is kept; each is applied by a daily purge."""

    subscriptions = fields.Whole(least=30, most=3660, load_default=1095)
    metro_rides = fields.Whole(least=30, most=3660, load_default=1095)
    differences = fields.Whole(least=7, most=3660, load_default=365)
    purchase_tokens = fields.Whole(least=1, most=3660, load_default=30)
    unmatched_users = fields.Whole(least=1, most=3660, load_default=180)


class GoalsSchema(fields.Strict):
    """What the pilot is to reach (MA-10)."""

    subscriptions = fields.Whole(least=1, most=1_000_000_000, load_default=10_000)
    rides = fields.Whole(least=1, most=1_000_000_000, load_default=100_000)


class ReconciliationSchema(fields.Strict):
    """How the bank is asked for its statuses: so many at once, and for how long after a subscription is over."""

    parallel = fields.Whole(least=1, most=64, load_default=4)
    ended_days = fields.Whole(least=0, most=366, load_default=7)


TARIFFS = dynconf.Value(
    "MAAS_TARIFFS", ma.List(ma.Nested(TariffVariantSchema)), "Tariffs that were agreed with the partner (MA-45 d)"
)
GEO = dynconf.Value("MAAS_GEO", ma.Nested(GeoSchema), "The rules of a ride by subscription (MA-90)")
RESERVE_TTL_S = dynconf.Value(
    "MAAS_RESERVE_TTL_S", fields.Whole(least=60, most=86_400), "How long a reservation waits for its payment"
)
EXTENSIONS = dynconf.Value(
    "MAAS_EXTENSIONS",
    fields.Whole(least=0, most=100),
    "How often a reservation may be kept for longer while its payment is slow",
    default=3,
)
ANTIFRAUD = dynconf.Value(
    "MAAS_ANTIFRAUD",
    ma.Nested(AntifraudSchema),
    "Who is not sold anything (MA-45 c)",
    default=AntifraudSchema().load({}),
)
RETENTION_DAYS = dynconf.Value(
    "MAAS_RETENTION_DAYS",
    ma.Nested(RetentionSchema),
    "How long what is over is kept",
    default=RetentionSchema().load({}),
)
GOALS = dynconf.Value(
    "MAAS_GOALS", ma.Nested(GoalsSchema), "What the pilot is to reach (MA-10)", default=GoalsSchema().load({})
)
RECONCILIATION = dynconf.Value(
    "MAAS_RECONCILIATION",
    ma.Nested(ReconciliationSchema),
    "How statuses are compared with the bank's",
    default=ReconciliationSchema().load({}),
)
MATCHING = dynconf.Value(
    "MAAS_MATCHING",
    ma.Nested(MatchingSchema),
    "How people of the metro are found in taxi (MA-29, MA-70)",
    default=MatchingSchema().load({}),
)
PHONE_CHANGE_ALLOWED = dynconf.Value(
    "MAAS_PHONE_CHANGE_ALLOWED", ma.Boolean(), "Whether the partner may change a person's phone (MA-25)", default=False
)
PRODUCT = dynconf.Value("MAAS_PRODUCT", ma.Nested(ProductSchema), "The texts of the purchase screen (MA-54)")
PURCHASE = dynconf.Value("MAAS_PURCHASE", ma.Nested(PurchaseSchema), "Where the bank sells (MA-57)")
VALUES = (
    TARIFFS,
    GEO,
    RESERVE_TTL_S,
    EXTENSIONS,
    ANTIFRAUD,
    MATCHING,
    PHONE_CHANGE_ALLOWED,
    PRODUCT,
    PURCHASE,
    RETENTION_DAYS,
    GOALS,
    RECONCILIATION,
    http_client.CLIENT_QOS,
)
