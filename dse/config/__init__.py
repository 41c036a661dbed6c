"""The configuration file: its keys, their units, and how it is read and written."""
