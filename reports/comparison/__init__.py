"""The report that lays several runs side by side; import `compare_runs` from here."""

from reports.comparison.compare import compare_runs

__all__ = ["compare_runs"]
