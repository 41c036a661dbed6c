"""What can be measured on a float network: accuracy, chaos floor, firing, operations, the layer table.

All modules are used from outside but `operations`.
"""
