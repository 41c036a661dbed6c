"""What plots show (`description`) and the two that draw it: `interactive` for the page, `printed` for files and paper.

Sections import the modules they need; `sensitivity_chart` is the one figure that a command draws without a report.
"""
