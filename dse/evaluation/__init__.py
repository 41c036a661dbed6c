"""What a design is worth: measured accuracy and spikes, computed costs, for a configuration."""
