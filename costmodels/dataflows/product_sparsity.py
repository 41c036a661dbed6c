"""Layer by layer, all time steps together, sums reused between rows of spikes that contain each other (Prosperity).

Wei et al., HPCA 2025 (arXiv 2503.03379): the spikes of an output position and time step are a row; a row whose spikes
contain those of another starts from the sums of that row. The sums of a tile of rows lie in the state memory.
"""

import numpy as np

from costmodels.equations import terms
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

REQUIRES = ("weights", "states", "spikes")
MEASURED = ("product_share",)
PIPELINED = False
RESIDENT_STATES = False


def counts(load: Load, chip: Chip) -> Counts:
    """Eq. 54: each operation that is left fetches its weights; sums are read and written once per row of a tile.

    Rows with numbers and products of two streams reuse nothing: they run as with tick_batched.
    """
    reused = load.geometry.has_weights & ~load.geometry.multibit
    left = load.synops * np.where(reused, load.product_share, 1.0)
    moved = load.synops * np.where(reused, load.product_sums_share, 0.0)
    additions, multiplications = terms.split_operations(load, left)
    shared = terms.shared_operations(load, chip.tile_positions, steps_together=load.time_steps)
    potentials = load.neurons * load.time_steps * load.switching.neuron_bits
    return Counts(
        additions=additions,
        multiplications=multiplications,
        weight_words=terms.weight_words(load, np.where(reused, left, shared), chip.weights.word),
        sum_words=terms.sum_words(load, moved, load.sum_bits, chip.states.word),
        register_bits=(additions + multiplications) * load.switching.register_bits + potentials,
        spike_words_read=terms.spike_words_read(load, chip.spikes.word),
        spike_words_written=terms.spike_words_written(load, chip.spikes.word),
        neuron_steps=load.neurons * load.time_steps,
        rescales=terms.rescales(load),
        map_bits=terms.map_bits(load, steps_together=load.time_steps),
        **terms.stream_additions(load),
        stream_words=terms.stream_words(load, chip.spikes.word),
        stream_copies=float(load.time_steps),
        fetches=1.0,
    )
