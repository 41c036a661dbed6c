"""Questions asked of many estimates: co-design of the chip, non-spiking twins, published figures, stability."""
