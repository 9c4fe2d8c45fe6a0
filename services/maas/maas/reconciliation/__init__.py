"""Reconciliation: once a day every live or lately ended subscription is compared with what the bank has for it.

    opened ──page by page──▶ compared ──second look at what differs──▶ finished

A comparison belongs to its day, in UTC, and keeps how far it has come: a killed one goes on from there, and of two at
once only one moves on. What differs is looked at again at the end, so that a move under way is no difference.
"""
