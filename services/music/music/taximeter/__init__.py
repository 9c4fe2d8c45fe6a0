"""The taximeter's side: it reports what it plays and what became of commands, and gets open ones (M-15, M-21).

A device counts its reports within its `device_session`; an older report changes nothing, and a session that another
one replaced never comes back. A report that says nothing new is a heartbeat: one UPDATE of which no passenger hears.
"""
