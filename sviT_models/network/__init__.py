"""What families of networks share: neurons, layers, attention, time as an axis, options.

All modules are used from outside.
"""
