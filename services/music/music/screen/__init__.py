"""The screen: what the passenger sees of the player, once a second, from memory.

An order in memory is one of two: a player with its answer encoded, or the reason why there is no music. Whoever changes
what the passenger can see raises the version of the player, and the database tells every process; those that have an
older one read it once, when the next client asks or at once when one waits for it. What the client is answered is never
older than the version that it names, whichever process it asks.
"""
