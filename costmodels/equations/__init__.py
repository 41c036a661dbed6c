"""Equations 1 to 37: pure functions from the work of rows and a chip's numbers to energy [J], memory [bit], time [s].

For the inside of costmodels.
"""
