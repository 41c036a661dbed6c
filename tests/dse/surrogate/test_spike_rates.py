"""Spike rates and energies of designs that were not evaluated, where the true dependence is known."""

import numpy as np
import pytest

from costmodels import Workload, load_hardware
from costmodels.workload.examples import example_table
from dse.evaluation.costs import Costing
from dse.problem.build_space import build_space
from dse.problem.by_form import ByForm
from dse.surrogate.spike_rates import LEAST_DESIGNS, fit_rates, spike_rows

NAMES = ("drop", "memory_bytes", "energy_j")


def setting(time_steps=(1, 2, 4)):
    table = example_table("sdtv2_8_256", 0.2, 4, False)
    space = build_space(table, widths=(2, 4, 8), granularity="block", time_steps=time_steps)
    workload = Workload.from_table(table)
    costing = Costing(ByForm.single(workload, workload.weight_layers), load_hardware("generic_45nm"), 30.0)
    exists = space.exists
    harm = np.where(exists, 4.0 ** -np.arange(exists.shape[1]), np.nan)
    return space, costing, harm


def features(space, costing, harm=None):
    return costing.following(space, NAMES, harm).features


def true_spikes(space, costing, levels, rng):
    """Narrow networks fire less, deeper layers more so, by a law that is not the model's own."""
    base = 0.3 * features(space, costing).neurons
    values = space.values(levels)
    weights = [d.kind == "weight" for d in space.dimensions]
    narrow = (8 - values[:, weights]).mean(axis=1) / 6
    depth = np.linspace(0.2, 1.0, len(base))
    rate = base * np.exp(-0.8 * depth * narrow[:, None] ** 1.3)
    return rate * space.steps(levels)[:, None] * np.exp(0.02 * rng.normal(size=(len(levels), len(base))))


def test_energy_of_unseen_designs_is_closer_than_with_the_float_networks_spikes():
    space, costing, harm = setting()
    rng = np.random.default_rng(0)
    following = costing.following(space, NAMES, harm)
    seen, unseen = space.draw(rng, 25), space.draw(rng, 60)
    before = true_spikes(space, costing, seen, rng)
    truth = costing.of_levels(space, unseen, true_spikes(space, costing, unseen, rng))["energy_j"]
    # the float network: nothing narrow, the most time steps
    wide = (space.sizes - 1)[None]
    float_spikes = true_spikes(space, costing, wide, rng)[0] / space.steps(wide)
    scaled = float_spikes * space.steps(unseen)[:, None]
    by_float = costing.of_levels(space, unseen, scaled)["energy_j"]
    by_rates = following.after(seen, before).columns(unseen)["energy_j"]
    error = [np.abs(e / truth - 1).mean() for e in (by_rates, by_float)]
    assert error[0] < 0.3 * error[1]
    assert error[0] < 0.03
    again = following.after(seen, before)(unseen)
    assert np.array_equal(again, following.after(seen, before)(unseen))
    assert np.array_equal(again[:, 1], by_rates)


def test_rates_that_do_not_depend_on_the_design_are_found_as_they_are():
    space, costing, harm = setting((4,))
    asked = features(space, costing, harm)
    levels = space.draw(np.random.default_rng(1), 12)
    constant = np.tile(np.linspace(0.05, 0.9, len(asked.neurons)) * asked.neurons, (12, 1))
    rates = fit_rates(asked, levels, constant)
    assert rates is not None
    assert rates.spikes(space.draw(np.random.default_rng(2), 5)) == pytest.approx(constant[:5], rel=1e-3)


def test_few_designs_are_costed_with_the_float_networks_spikes():
    space, costing, harm = setting()
    rng = np.random.default_rng(3)
    following = costing.following(space, NAMES, harm)
    levels = space.draw(rng, LEAST_DESIGNS)
    spikes = true_spikes(space, costing, levels, rng)
    spikes[0] = np.nan  # one design without a record: one too few
    expected = costing.objective_costs(space, NAMES)(levels)
    assert np.array_equal(following.after(levels, spikes)(levels), expected)


def test_a_prediction_stays_near_what_was_measured():
    space, costing, harm = setting((4,))
    asked = features(space, costing, harm)
    wide = np.tile(space.sizes - 1, (LEAST_DESIGNS, 1))
    wide[np.arange(LEAST_DESIGNS), np.arange(LEAST_DESIGNS)] -= 1
    spikes = np.exp(np.random.default_rng(0).normal(size=(LEAST_DESIGNS, len(asked.neurons)))) * 10
    far = fit_rates(asked, wide, spikes).spikes(np.zeros((1, len(space.sizes)), dtype=np.int64))
    assert (far[0] <= spikes.max(axis=0) * 1.501).all()
    assert (far[0] >= np.minimum(spikes.min(axis=0), 4 * asked.neurons) / 1.501).all()
    # more than one spike per neuron and time step there is not
    assert (far[0] <= 4 * asked.neurons).all()


def test_records_become_rows():
    rows = spike_rows([[1.0, 2.0], None, [3.0]], 2)
    assert rows[0].tolist() == [1.0, 2.0]
    assert np.isnan(rows[1:]).all()
