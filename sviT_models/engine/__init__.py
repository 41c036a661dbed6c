"""Evaluation of quantized networks in integers: results do not depend on threads, batches or machine.

From outside: `engine`, `sweep`, `definition`, `arithmetic`, `number_formats` and `fixed_point.plan`; the kernels and
their passes are its own.
"""
