"""Event-driven cores with resident weights and states, all layers at work at the same time (Loihi-like).

Each spike travels as a packet to the cores of the row that reads it, fetches its weights, and adds them to the
potentials, or to sums beside them; once per time step every neuron is swept, also while only other rows are at work.
"""

import numpy as np

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
    word, steps = chip.states.word, load.time_steps
    swept = np.zeros(()) if chip.sums_in_potentials else terms.swept_sums(load, word)
    moved = (additions + multiplications) / chip.spike_group
    touched = load.state_bits if chip.sums_in_potentials else load.sum_bits
    return Counts(
        additions=additions,
        multiplications=multiplications,
        weight_words=terms.weight_words(load, load.synops, chip.weights.word),
        sum_words=terms.sum_words(load, moved, touched, word) + steps * swept,
        own_sum_bits=swept * word,
        state_words=terms.state_words(load, steps, word),
        idle_state_words=terms.state_words(load, load.idle_steps, word) + load.idle_steps * swept,
        spike_words_read=terms.spike_words_read(load, chip.spikes.word),
        spike_words_written=terms.spike_words_written(load, chip.spikes.word),
        packets=load.spikes,
        neuron_steps=load.neurons * steps,
        idle_neuron_steps=load.neurons * load.idle_steps,
        rescales=terms.rescales(load),
        map_bits=terms.map_bits(load, steps_together=1.0),
        **terms.stream_additions(load),
        stream_state_words=terms.stream_words(load, chip.states.word),
    )
