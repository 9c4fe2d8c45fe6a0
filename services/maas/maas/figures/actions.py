"""Counting the figures and showing them."""

from collections.abc import Mapping, Sequence

from kit import caches, metrics, pg
from maas.figures import model, queries

_GAUGES = {name: metrics.gauge(name, meaning.doc, meaning.labels) for name, meaning in model.MEANINGS.items()}
_shown: set[tuple[str, tuple[str, ...]]] = set()


async def count(*, db: pg.Database, goals: Mapping[str, int]) -> None:
    """Counts the figures anew and tells every process of them; `goals` are shown beside what was reached."""
    async with db.transaction() as tx:
        await queries.count(tx, goal_subscriptions=goals["subscriptions"], goal_rides=goals["rides"])


async def load(db: pg.Executor) -> Sequence[model.Figure]:
    """The figures as last counted, shown in the metrics of this process; none before the first time."""
    rows = await queries.find(db) or []
    figures = [model.Figure(row["name"], tuple(row["labels"]), row["value"]) for row in rows]
    # A release that counts more than this one is no reason to fail.
    known = [figure for figure in figures if figure.name in _GAUGES]
    _show(known)
    return known


def _show(figures: Sequence[model.Figure]) -> None:
    present = {(figure.name, figure.labels) for figure in figures}
    unlabelled = {(name, ()) for name, meaning in model.MEANINGS.items() if not meaning.labels}
    for name, labels in (_shown | unlabelled) - present:
        _GAUGES[name].labels(*labels).set(model.MEANINGS[name].absent)
    for figure in figures:
        _GAUGES[figure.name].labels(*figure.labels).set(figure.value)
    _shown.update(present)


FIGURES = caches.Cache("figures", channel="maas_figures", load=load)
