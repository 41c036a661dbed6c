"""The spiking transformer: neurons, layers, topology, and fusing of linear chains."""
