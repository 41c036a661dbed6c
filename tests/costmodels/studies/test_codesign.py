"""Chips that knobs span, and the best of them, against plain enumeration."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from costmodels import (
    Candidates,
    CostError,
    Designs,
    configurations,
    configured,
    estimate,
    knobs,
    load_hardware,
    sweep,
)
from costmodels.hardware.library import CHIPS
from tests.costmodels.networks import cost_of, example, mixtures, own_designs
from tests.costmodels.small import two_layers


def test_knobs_are_enumerated_exactly():
    chip = load_hardware("generic_45nm")
    values = knobs(chip)
    chips = configurations(chip)
    assert len(chips) == np.prod([len(v) for v in values.values()])
    assert [tuple(c.setting.values()) for c in chips] == list(itertools.product(*values.values()))
    # memories and op energies follow the setting
    small, large = (configured(chip, {"memories.weights.size": size}).chip.weights for size in (0.5, 8))
    assert small.read < large.read
    assert small.size * 16 == large.size
    assert configured(chip, {"node": 22}).chip.add_per_bit < chip.chip.add_per_bit


def test_the_best_chip_of_a_sweep_is_the_best_of_all():
    chip, bits = load_hardware("generic_45nm"), mixtures(2)
    chip = configured(chip, {})
    table = sweep(
        Candidates.of(example(), Designs(bits, ("a", "b"))),
        chip,
        objectives=("energy_j", "energy_delay_js", "area_mm2"),
    )
    assert list(table["design"]) == ["a"] * 3 + ["b"] * 3
    for place, name in enumerate("ab"):
        costs = [estimate(example(), c.hardware, bits[place]) for c in configurations(chip)]
        feasible = [c for c in costs if bool(c.feasible)]
        best = table[(table["design"] == name)].set_index("objective")
        assert best.loc["energy_j", "energy_j"] == min(float(c.energy_j) for c in feasible)
        product = best.loc["energy_delay_js"]
        assert product["energy_j"] * product["latency_s"] == min(float(c.energy_j * c.latency_s) for c in feasible)
        assert best.loc["area_mm2", "area_mm2"] == min(float(c.area_mm2) for c in feasible)
        assert best["feasible"].all()
        assert best.loc["energy_j", "file_value"] == float(estimate(example(), chip, bits[place]).energy_j)


def test_designs_with_time_steps_and_spikes_of_their_own_cost_the_same_once_their_activity_is_worked_out():
    designs = own_designs(6)
    settled = Candidates.of(example(), designs).settled()
    assert settled.names == designs.names
    assert len(settled.parts) == len(np.unique(designs.time_steps)) > 1
    for size in (0.5, 8):
        chip = configured(load_hardware("generic_45nm"), {"memories.weights.size": size})
        costs = settled.costs(chip)
        for place in range(6):
            alone = cost_of(designs, place, chip)
            for name in ("energy_j", "latency_s", "memory_bytes", "area_mm2"):
                assert getattr(costs, name)[place] == getattr(alone, name)


def test_a_chip_without_knobs_is_its_own_best():
    table = sweep(
        Candidates.of(two_layers(), np.array([[4, 4]])), load_hardware("seneca_like"), objectives=("energy_j",)
    )
    assert len(table) == 1
    assert table.loc[0, "gain"] == 0


def test_knob_mistakes_are_refused(tmp_path: Path):
    chip = load_hardware("generic_45nm")
    with pytest.raises(CostError, match=r"knobs: noc.hops is 3; the file has no such entry"):
        configured(chip, {"noc.hops": 3})
    with pytest.raises(CostError, match=r"knobs: \{clock: -1\} make no chip"):
        configured(chip, {"clock": -1})
    with pytest.raises(CostError, match=r"knobs: \{dataflow: warp\} make no chip: dataflow: unknown data flow 'warp'"):
        configured(chip, {"dataflow": "warp"})
    with pytest.raises(CostError, match="unknown objective 'beauty'"):
        sweep(Candidates.of(two_layers(), [[4, 4]]), chip, objectives=("beauty",))
    path = tmp_path / "many.yaml"
    text = (CHIPS / "generic_45nm.yaml").read_text()
    path.write_text(
        text.replace(
            "  processing_elements: [2048, 4096, 8192, 16384]", f"  processing_elements: {list(range(1, 900))}"
        )
    )
    with pytest.raises(CostError, match="at most 100000 are enumerated"):
        configurations(load_hardware(path))
