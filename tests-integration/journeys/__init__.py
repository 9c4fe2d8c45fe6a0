"""Journeys: whole stories of people and partners, told against live processes through their public APIs.

`python -m journeys STACK` plays all of them, each step printed with what was asked and what was answered; the tests
beside this package play the same ones.
"""

from journeys import app_purchase, metro_subscription, music_in_ride

JOURNEYS = {
    "metro-subscription": metro_subscription,
    "app-purchase": app_purchase,
    "music-in-ride": music_in_ride,
}
