"""A network as the cost models see it: the layer table, its geometry and the spikes that were counted."""
