"""The taximeters of the demo drivers: each an actor that plays what music's commands ask for, on speakers of its own.

`fleet` finds a driver's `device`; while it has a ride, `ride` listens, works, reports and keeps the token, until music
answers 410. `commands` applies one command to the `speakers` with what the `sdk` reads; all that goes out goes through
the `line`, which is the driver's gateway with its ticket, faults and journal. `doors` show the truth and change it.
"""
