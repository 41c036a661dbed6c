"""An accelerator as data: the YAML file, its schema, units, sources, and the energies of SRAM and operations."""
