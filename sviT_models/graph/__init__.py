"""The network as a graph of named, typed operations: captured from any module, saved without its code, and walked.

From outside: `capture`, `files`, `run`, `layer_table`, `user_file`, and the types of `graph`, `neurons` and `values`.
"""
