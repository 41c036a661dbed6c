"""What can be measured on a network: accuracy, chaos floor, firing, operations, the layer table."""
