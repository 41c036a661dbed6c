"""Studies made of many estimates: co-design of the chip, non-spiking networks, published figures, rank stability.

Everything for the outside is exported by costmodels itself.
"""
