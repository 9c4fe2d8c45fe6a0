"""Subscriptions (абонементы): reserved before the payment, activated after it, over by time or by cancellation.

    reserved ──activate──▶ activated ──time──▶ expired
      │ └ extend             └──support──▶ canceled
      └──cancel, time──▶ canceled ──late activate──▶ activated        (only when the time ended it, MA-48)

The partner moves a subscription by `handlers`; time moves it by the periodic tasks, and a reader sees what time has
done even before they ran. The moves themselves are held by a trigger, "one live per person" by a unique index (MA-42).

A tariff may have a budget: reserved, active and past subscriptions take from it, a reservation that comes to nothing
gives back. Nothing counts it but the rows themselves; whoever sells holds the lock of the tariff while looking.
"""
