"""The physics: pure functions from counts and a chip to energy [J], memory [byte] and time [s]."""
