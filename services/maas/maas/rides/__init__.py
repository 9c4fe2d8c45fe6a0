"""Taxi rides of a subscription: the rules of a ride and the ledger.

    held ──complete──▶ used
      └──release, or a completion that breaks a rule──▶ released

One row per taxi order. The trigger on the ledger counts it into the subscription, whose constraint `rides_taken ≤
taxi_rides` is the check: holding and checking are one statement, and no ride is spent twice however many ask at once.
"""
