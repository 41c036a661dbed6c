"""Exact evaluation of quantized networks: results do not depend on threads, batches or machine."""
