"""The network in integers: formats, ranges, and a batch through it."""
