"""Rules of promo codes."""

import datetime

from kit import errors
from maas.subscriptions.model import PromocodeStatus, Status, Subscription

GIVE_UP_AFTER = datetime.timedelta(hours=24)
"""How long a code is asked for before a person has to look (MA-48, T20)."""


class PromocodeNotDue(errors.Conflict):
    """Only an active subscription whose account is known has a promo code."""


def is_to_be_revoked(subscription: Subscription) -> bool:
    """True for a canceled subscription whose code was issued, or ordered and may be known to coupons alone."""
    may_exist = subscription.promocode_status not in (PromocodeStatus.NONE, PromocodeStatus.REVOKED)
    return subscription.status is Status.CANCELED and may_exist
