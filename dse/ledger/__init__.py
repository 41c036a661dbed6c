"""Where a search is kept: the journal of a run directory or a database, both through Optuna's own storages.

From outside: `journal` for the file, `storage` for opening either, `JOURNAL` for the file's name without Optuna.
"""

JOURNAL = "study.journal"  # in a run directory
