"""What designs cost: a workload, a chip and bit widths in; totals, tables by layer, reasons and actions out."""
