import numpy as np
import search_limits
from simulated_network import simulate


def test_a_front_of_wrong_harms_is_worse_and_none_is_better_than_the_best_known():
    simulation, rng = simulate(3, low_fidelity_images=0), np.random.default_rng(0)
    factors = np.exp(0.6 * rng.normal(size=(len(simulation.terms), 1)))
    right = search_limits.share_of_front(simulation, simulation.summands, rng)
    wrong = search_limits.share_of_front(simulation, simulation.summands * factors, rng)
    assert 0.9 < wrong < right - 0.01
    assert right <= 1.001
