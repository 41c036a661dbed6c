"""What a search leaves: tables, picks, verification, the run directory."""
