"""Training, fine-tuning, and new statistics for batch norms."""
