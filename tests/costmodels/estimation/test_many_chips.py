"""Chips that are costed at once, against each chip alone: the same bits."""

import numpy as np
import pytest

from costmodels import Candidates, CostError, Designs, configurations, hardware_names, load_hardware
from costmodels.equations.chips import MEMORIES, VARYING
from costmodels.estimation.candidates import costs_of
from tests.costmodels.networks import example, own_designs

COSTS = ("energy_j", "latency_s", "interval_s", "power_w", "throughput_power_w", "memory_bytes", "on_chip_bytes")
COSTS += ("off_chip_bytes", "area_mm2", "room_bytes", "feasible")


def chips_of(name):
    """The chip, some that its knobs span, and it with every constant at half and at double."""
    chip = load_hardware(name)
    moved = [chip.with_constant(key, c.value * factor) for key, c in chip.table.items() for factor in (0.5, 2)]
    return [chip, *(c.hardware for c in configurations(chip)[::97]), *moved[::3]]


def fitting(candidates, chips):
    """Those of the chips that can cost the designs at all."""
    for chip in chips:
        try:
            yield chip, candidates.costs(chip)
        except CostError:  # potentials wider than 32 bit, product sparsity that was not measured
            continue


@pytest.mark.parametrize("name", hardware_names())
@pytest.mark.parametrize(
    "designs",
    [own_designs(3), Designs(np.array([[2] * 138, [8] * 138])), Designs(np.full((20, 138), 4))],
    ids=["own spikes and steps", "same spikes", "many"],
)
def test_chips_at_once_cost_what_each_costs_alone(name, designs):
    candidates = Candidates.of(example(), designs)
    alone = list(fitting(candidates, chips_of(name)))
    if not alone:
        with pytest.raises(CostError):
            candidates.costs_on([load_hardware(name)])
        return
    together = candidates.costs_on([chip for chip, _ in alone])
    for cost in COSTS:
        np.testing.assert_array_equal(getattr(together, cost), np.stack([getattr(c, cost) for _, c in alone]), cost)
    for why, flags in together.violations.items():
        np.testing.assert_array_equal(flags, np.stack([c.violations[why] for _, c in alone]), why)


def test_pairs_come_back_in_their_order():
    first, second = (Candidates.of(example(), Designs(bits)) for bits in (4, 8))
    small, large = load_hardware("generic_45nm"), load_hardware("generic_22nm")
    pairs = [(first, small), (second, large), (first, large), (second, small)]
    found = costs_of(pairs, ("energy_j",))
    assert [cost["energy_j"].tolist() for cost in found] == [a.costs(chip).energy_j.tolist() for a, chip in pairs]


def test_what_varies_are_numbers_of_a_chip():
    chip = load_hardware("generic_45nm").chip
    for memory, field in VARYING:
        assert isinstance(getattr(getattr(chip, memory) if memory else chip, field), float)
        assert memory in ("", *MEMORIES)
