"""An accelerator as data: its YAML file, schema and units, and the energies of memories and operations with sources.

Everything for the outside is exported by costmodels itself.
"""
