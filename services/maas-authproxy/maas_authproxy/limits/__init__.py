"""Rates: what a partner may ask, and how often an address may fail with its keys.

A bucket holds `burst` tokens and gains `per_second` of them; a request takes one, and is told to wait where there is
none. Each process counts for itself: with N of them a partner may ask N times as much.
"""
