"""SQL of `reports.figures`, over everything that maas keeps."""

from typing import Any

from kit import pg

# One pass over each table: the ledger is folded into one row per subscription, and all figures are made of those.
COUNT = """
INSERT INTO reports.figures (figures)
WITH ledger AS (
    SELECT pass_id, count(*) FILTER (WHERE state = 'held') AS held, count(*) FILTER (WHERE state = 'used') AS used,
           count(*) FILTER (WHERE state = 'released') AS released,
           count(price) FILTER (WHERE state = 'used') AS priced, sum(price) FILTER (WHERE state = 'used') AS cost,
           count(*) FILTER (WHERE state = 'used' AND finished_at > now() - interval '30 days') AS lately
    FROM subscriptions.rides GROUP BY pass_id
), passes AS MATERIALIZED (
    SELECT s.tariff_id, s.currency, s.price, s.taxi_rides, s.promocode_status, s.activated_at,
           coalesce(s.promocode_wanted_at, s.activated_at) AS waits_since, coalesce(held, 0) AS held,
           coalesce(used, 0) AS used, coalesce(released, 0) AS released, coalesce(priced, 0) AS priced, cost,
           coalesce(lately, 0) AS lately, s.price / s.taxi_rides AS share,
           CASE WHEN s.status = 'activated' AND s.expiration_datetime <= now() THEN 'expired'
                WHEN s.status = 'reserved' AND s.reserved_until <= now() THEN 'canceled' ELSE s.status END AS status,
           greatest(0, extract(epoch FROM least(now(), s.expiration_datetime, s.canceled_at)
                                          - greatest(s.activated_at, now() - interval '30 days'))) AS active_s
    FROM subscriptions.subscriptions s LEFT JOIN ledger USING (pass_id)
), ended AS (
    SELECT * FROM passes WHERE activated_at IS NOT NULL AND status IN ('expired', 'canceled')
), persons AS MATERIALIZED (
    SELECT 'unmatched' AS kind, count(*) AS n FROM users.users WHERE maas_user_id IS NULL
    UNION ALL
    SELECT coalesce(uid_kind, 'unbound'), count(*) FROM users.users WHERE maas_user_id IS NOT NULL GROUP BY 1
), compared AS (
    SELECT day, started_at FROM subscriptions.comparisons WHERE finished_at IS NOT NULL ORDER BY day DESC LIMIT 1
), counted (name, labels, value) AS (
    SELECT 'maas_subscriptions', ARRAY[status, tariff_id], count(*)::float8 FROM passes GROUP BY 2
    UNION ALL
    SELECT 'maas_rides', ARRAY[state, tariff_id], sum(n) FROM passes
        CROSS JOIN LATERAL (VALUES ('held', held), ('used', used), ('released', released)) AS ledger (state, n)
        GROUP BY 2
    UNION ALL SELECT 'maas_goal', ARRAY['subscriptions'], %(goal_subscriptions)s
    UNION ALL SELECT 'maas_goal', ARRAY['rides'], %(goal_rides)s
    UNION ALL SELECT 'maas_reached', ARRAY['subscriptions'], count(activated_at) FROM passes
    UNION ALL SELECT 'maas_reached', ARRAY['rides'], sum(used) FROM passes
    UNION ALL
    SELECT 'maas_rides_per_month', '{}', sum(lately) / nullif(sum(active_s) / extract(epoch FROM interval '30 days'), 0)
        FROM passes WHERE activated_at IS NOT NULL
    UNION ALL SELECT 'maas_utilisation_ratio', '{}', sum(used) / nullif(sum(taxi_rides), 0)::float8 FROM ended
    UNION ALL SELECT 'maas_burned_money', ARRAY[currency], sum((taxi_rides - used) * share) FROM ended GROUP BY currency
    UNION ALL
    SELECT 'maas_ride_price_mean', ARRAY[currency], sum(cost) / nullif(sum(priced), 0) FROM passes GROUP BY currency
    UNION ALL
    SELECT 'maas_ride_subsidy_mean', ARRAY[currency], sum(cost - priced * share) / nullif(sum(priced), 0)
        FROM passes GROUP BY currency
    UNION ALL
    SELECT 'maas_subsidy_money', ARRAY[currency], sum(cost - priced * share) FROM passes GROUP BY currency
    UNION ALL
    SELECT 'maas_promocodes', ARRAY[promocode_status], count(*) FROM passes WHERE activated_at IS NOT NULL GROUP BY 2
    UNION ALL
    SELECT 'maas_promocode_oldest_wait_seconds', '{}', extract(epoch FROM now() - min(waits_since))
        FROM passes WHERE status = 'activated' AND promocode_status = 'pending'
    UNION ALL SELECT 'maas_persons', ARRAY[kind], n FROM persons
    UNION ALL
    SELECT 'maas_match_ratio', '{}', sum(n) FILTER (WHERE kind <> 'unbound') / nullif(sum(n), 0)
        FROM persons WHERE kind <> 'unmatched'
    UNION ALL
    SELECT 'maas_purchase_tokens_outstanding', '{}', count(*) FROM users.purchase_tokens
        WHERE used_by_pass_id IS NULL AND expires_at > now()
    UNION ALL
    SELECT 'maas_vtb_differences', ARRAY[kind], count(*)
        FROM subscriptions.differences JOIN compared USING (day) GROUP BY 2
    UNION ALL SELECT 'maas_vtb_comparison_age_seconds', '{}', extract(epoch FROM now() - started_at) FROM compared
    UNION ALL SELECT 'maas_figures_counted_at_seconds', '{}', extract(epoch FROM now())
)
SELECT jsonb_agg(jsonb_build_object('name', name, 'labels', labels, 'value', value))
FROM counted WHERE value IS NOT NULL
ON CONFLICT (is_current) DO UPDATE SET figures = excluded.figures, counted_at = excluded.counted_at
"""


async def count(tx: pg.Transaction, *, goal_subscriptions: int, goal_rides: int) -> None:
    """Counts everything, keeps it and tells every process."""
    await tx.run(COUNT, goal_subscriptions=goal_subscriptions, goal_rides=goal_rides)
    await tx.run("SELECT pg_notify('maas_figures', '')")


FIND = "SELECT figures FROM reports.figures"


async def find(db: pg.Executor) -> list[dict[str, Any]] | None:
    """The figures as last counted, `[{"name", "labels", "value"}]`; None before the first time."""
    return await db.maybe(pg.value, FIND)
