"""The host's time, in one place. Leases and expiry are judged by the database's clock, never by this one."""

import datetime


def now() -> datetime.datetime:
    """The present moment, aware, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def to_wire(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC with offset, as every API writes times: `2026-01-31T09:00:00+00:00`."""
    return moment.astimezone(datetime.UTC).isoformat()
