"""What designs cost on a chip: checks, sums over rows, totals, tables by layer, reasons and counts.

Everything for the outside is exported by costmodels itself.
"""
