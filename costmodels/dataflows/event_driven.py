"""Event-driven cores with resident weights and states, all layers at work at the same time (Loihi-like).

Each spike travels as a packet to the cores of the row that reads it, fetches its weights, and adds them to partial
sums in memory; once per time step every neuron is swept.
"""

from costmodels.equations import terms
from costmodels.equations.chip import Chip
from costmodels.equations.counts import Counts, Load

REQUIRES = ("weights", "states", "spikes")
MEASURED = ()
PIPELINED = True
RESIDENT_STATES = True


def counts(load: Load, chip: Chip) -> Counts:
    """No fetched weight serves two spikes; one packet per spike and reading row."""
    additions, multiplications = terms.split_operations(load, load.synops)
    return Counts(
        additions=additions,
        multiplications=multiplications,
        weight_words=terms.weight_words(load, load.synops, chip.weights.word),
        sum_words=terms.sum_words(load, load.synops / chip.spike_group, chip.states.word),
        state_words=terms.state_words(load, chip.states.word),
        spike_words_read=terms.spike_words_read(load, chip.spikes.word),
        spike_words_written=terms.spike_words_written(load, chip.spikes.word),
        packets=load.spikes,
        neuron_steps=load.neurons * load.time_steps,
        rescales=terms.rescales(load),
        map_bits=terms.map_bits(load, steps_together=1.0),
        **terms.stream_additions(load),
        stream_state_words=terms.stream_words(load, chip.states.word),
    )
