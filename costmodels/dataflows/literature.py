"""The convention of the papers: rate x FLOPs synaptic operations and nothing else. For comparison only.

No memory, no neuron, no leakage; with 0.9 pJ per accumulate and 4.6 pJ per multiply-accumulate of fp32 at 45 nm.
"""

from costmodels.equations import terms
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

REQUIRES = ()
MEASURED = ()
PIPELINED = False
RESIDENT_STATES = False


def counts(load: Load, chip: Chip) -> Counts:
    """Accumulates by rate, multiply-accumulates for every multi-bit input."""
    additions, multiplications = terms.split_operations(load, terms.literature_operations(load))
    return Counts(additions=additions, multiplications=multiplications)
