"""Tariffs: which of the bank's offers may be sold now, and how many of each (MX-11..13, MA-60..62).

Nothing is kept here. Conditions are agreed in `MAAS_TARIFFS`, what is sold is counted in the subscriptions, and whether
a person may buy is asked of the very checks that `reserve` makes.
"""
