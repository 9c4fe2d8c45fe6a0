"""maas and its edge before the harness: their flows, invariants, model, checks and planted faults."""
