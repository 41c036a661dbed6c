"""An example network with designs of it: random mixtures of widths, and designs with activity of their own."""

from functools import cache

import numpy as np

from costmodels import Cost, Designs, Hardware, Workload, estimate


@cache
def example() -> Workload:
    return Workload.example("sdtv2_8_256")


def mixtures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([2, 3, 4, 6, 8]), (count, 138))


def own_designs(count: int) -> Designs:
    """Designs with time steps, potentials and spikes of their own."""
    rng, work = np.random.default_rng(7), example()
    steps = rng.choice([1, 2, 4], count)
    shares = np.array([len([n for n in lif.split(";") if n]) for lif in work.texts["lif"]])
    neurons = np.array([work.columns["neurons"][r] / shares[r] for r in work.lif_rows])
    spikes = neurons * steps[:, None] * rng.uniform(0.05, 0.3, (count, len(neurons)))
    return Designs(mixtures(count), tuple("abcdef"[:count]), steps, rng.integers(6, 17, (count, 77)), spikes)


def cost_of(designs: Designs, place: int, chip: Hardware) -> Cost:
    """The cost of one design by itself."""
    own = {"state_bits": designs.state_bits[place], "spikes": designs.spikes[place]}
    one = Designs(designs.weight_bits[place], time_steps=int(designs.time_steps[place]), **own)
    return estimate(example(), chip, one)
