"""Layer by layer, all time steps of a layer together: potentials stay in registers, weights are fetched once for all T.

The style of spiking-transformer ASICs (tick batching; Chen & Chang 2025, arXiv 2503.19643).
"""

from costmodels.equations import terms
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

REQUIRES = ("weights", "spikes")
MEASURED = ()
PIPELINED = False
RESIDENT_STATES = False


def counts(load: Load, chip: Chip) -> Counts:
    """A fetched weight serves a tile of output positions and all T steps; sums and potentials never leave registers."""
    steps = load.time_steps
    load = terms.image_once(load) if chip.image_once else load
    additions, multiplications = terms.split_operations(load, load.synops)
    fetched = terms.shared_operations(load, chip.tile_positions, steps_together=load.time_steps)
    potentials = load.neurons * load.time_steps * load.switching.neuron_bits
    return Counts(
        additions=additions,
        multiplications=multiplications,
        weight_words=terms.weight_words(load, fetched, chip.weights.word),
        register_bits=(additions + multiplications) * load.switching.register_bits + potentials,
        spike_words_read=terms.spike_words_read(load, chip.spikes.word),
        spike_words_written=terms.spike_words_written(load, chip.spikes.word),
        neuron_steps=load.neurons * load.time_steps,
        rescales=terms.rescales(load),
        map_bits=terms.map_bits(load, steps_together=load.time_steps),
        **terms.stream_additions(load),
        stream_words=terms.stream_words(load, chip.spikes.word),
        stream_copies=float(steps),
        fetches=1.0,
    )
