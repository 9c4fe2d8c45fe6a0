"""What a process keeps in memory and reads again when the database says that it changed.

Whole values, read again whenever their channel is notified:

    STATIONS = caches.Cache("stations", channel="metro_stations", load=load)      # in a feature's actions
    ctx.caches.get(STATIONS)                                                      # in a handler

Values by key, of which those that are asked for are kept, each with a growing version. Whoever changes one says
`pg_notify(channel, key || ' ' || version)` in the same transaction:

    PLAYERS = caches.Keyed("players", channel="music_players", load=queries.load)
    await ctx.caches.read(PLAYERS, order_id)                                      # memory, or one database read
    await ctx.caches.wait(PLAYERS, order_id, beyond=7, timeout_s=25)              # until there is a newer one
    ctx.caches.expect("music_players", order_id, 8)                               # after an own commit

While the listening connection is lost, a whole value stays as it was, and keyed ones are read from the database each
time; when it is back, everything is read anew, so that a missed word costs only that time.
"""

from kit.caches.kept import Caches
from kit.caches.keyed import Keyed
from kit.caches.slots import UNKNOWN, NotLoaded, Unknown
from kit.caches.whole import Cache

__all__ = ["UNKNOWN", "Cache", "Caches", "Keyed", "NotLoaded", "Unknown"]
