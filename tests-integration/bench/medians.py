"""The arithmetic of a contest."""

import math
import statistics
from collections.abc import Iterable, Sequence

TIE = 1.25


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` (0..1) of all values do not exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def ratio(mine: Iterable[float], others: Iterable[float]) -> float:
    """The median of the ratios round by round: what was slow for both in a round does not count for either."""
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))


def is_tie(found: float) -> bool:
    """Whether a ratio is within what the same program differs by from run to run."""
    return 1 / TIE <= found <= TIE
