"""The harness that breaks things: kills at every durable boundary, faults on every edge, histories that are checked,
and deliberate bugs by which the harness itself is tested.
"""
