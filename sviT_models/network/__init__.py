"""Meta-SpikeFormer: neurons, layers, which neurons feed which layer, and the fusing of linear chains.

All modules are used from outside.
"""
