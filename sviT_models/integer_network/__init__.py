"""The network in integers only: specified, written and read as files, run by a plain interpreter, and as ONNX.

From outside: `write`, `read`, `specification`, `onnx_model`.
"""
