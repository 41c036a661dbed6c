"""Time step by time step through all layers: weights are needed again in each step, all potentials are kept."""

from costmodels.equations import terms
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

REQUIRES = ("weights", "states", "spikes")
MEASURED = ()
PIPELINED = False
RESIDENT_STATES = True


def counts(load: Load, chip: Chip) -> Counts:
    """A fetched weight serves a tile of output positions in one step; each potential is read and written per step."""
    additions, multiplications = terms.split_operations(load, load.synops)
    fetched = terms.shared_operations(load, chip.tile_positions, steps_together=1.0)
    return Counts(
        additions=additions,
        multiplications=multiplications,
        weight_words=terms.weight_words(load, fetched, chip.weights.word),
        register_bits=(additions + multiplications) * load.switching.register_bits,
        state_words=terms.state_words(load, load.time_steps, chip.states.word),
        spike_words_read=terms.spike_words_read(load, chip.spikes.word),
        spike_words_written=terms.spike_words_written(load, chip.spikes.word),
        neuron_steps=load.neurons * load.time_steps,
        rescales=terms.rescales(load),
        map_bits=terms.map_bits(load, steps_together=1.0),
        **terms.stream_additions(load),
        stream_words=terms.stream_words(load, chip.spikes.word),
        stream_copies=1.0,
        fetches=float(load.time_steps),
    )
