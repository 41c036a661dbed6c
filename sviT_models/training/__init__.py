"""Training, fine-tuning, and new statistics for batch norms.

All modules are used from outside.
"""
