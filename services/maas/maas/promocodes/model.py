"""Rules of promo codes."""

import datetime

GIVE_UP_AFTER = datetime.timedelta(hours=24)
"""How long a code is asked for before a person has to look (MA-48, T20)."""
