"""From a graph to the operations of its program; from outside, `lower.lowered`."""
