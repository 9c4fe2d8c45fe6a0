"""The metro: its stations, and the rides on it.

Stations are kept in memory, from the last good copy in the database, from masstransit (MA-85). A request never waits
for masstransit. The periodic task brings the catalogue into the database, the database tells every process, and each
process builds its index once per change.

Rides on the metro are unlimited, so nothing depends on them: the bank reports them (MX-04), and they are kept as first
told.
"""
