"""Figures of the business: what the pilot is judged by (MA-07..MA-10, MA-106).

Once a minute one process counts them in the database and keeps the result there; the database tells every process, and
each shows them as gauges. So every process shows the same, and none of them counts while it is asked for its metrics.

How active people are without a subscription (MA-07) is not known here: that half of the comparison is made where all
orders are.
"""
