"""A network as the cost models see it: the layer table, the geometry of its rows, and the spikes that were counted.

Everything for the outside is exported by costmodels itself.
"""
