"""Players: one for each driver that an order was given to.

A player is `active` from the assignment of its driver until the ride ends, another driver takes over or nobody has
touched it for hours; then it is `closed` for ever. Meanwhile its connection is `connecting` until the taximeter first
reports, then `online`, and `lost` while the taximeter is not heard of. Whoever changes a player locks its row first, so
that everything about one player happens one after another; its `version` grows with what the passenger can see, its
`last_seq` with each command.
"""
