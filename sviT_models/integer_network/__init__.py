"""The exported network: written, read, specified, and run by a plain interpreter.

From outside: `write`, `read`, `specification`.
"""
