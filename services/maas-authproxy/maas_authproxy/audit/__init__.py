"""The audit trail: who asked what, when, and how it ended; no bodies, no keys, no phones.

A request leaves its entry in a bounded buffer and goes on. A writer brings the entries into the database in batches;
while the database is away they wait, and what finds no room is counted. After 180 days they are deleted.
"""
