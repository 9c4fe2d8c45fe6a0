"""One module per neighbour: its story, its contract as schemas, and a `NEIGHBOUR` that `sandbox.app` lists."""
