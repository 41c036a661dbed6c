"""What can be measured on a float network: accuracy, chaos floor, firing, the layer table.

All modules are used from outside.
"""
