"""music before the harness: its flows, invariants, model, checks and planted faults."""
