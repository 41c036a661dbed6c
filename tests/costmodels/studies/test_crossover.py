"""Up to which firing rate spikes pay: by hand, and beside the published 5.7 % at T = 5."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from costmodels import CostError, Designs, Workload, crossover, estimate, load_hardware, non_spiking
from costmodels.estimation.efficiency import bit_budgets


def layers(steps: int, rate: float = 0.1, **changes: object) -> Workload:
    """Two linear layers 40 -> 30 -> 20, whose neurons fire at one rate."""
    shapes = {"a": (40, 30), "b": (30, 20)}
    rows = [
        {"name": n, "kind": "linear", "in_channels": i, "out_channels": o, "spikes": rate * i * steps} | changes
        for n, (i, o) in shapes.items()
    ]
    return Workload.from_table(pd.DataFrame(rows).assign(time_steps=steps))


@pytest.mark.parametrize("steps", [6, 20, 100])
def test_the_literature_convention_by_hand(steps: int):
    """0.9 pJ x T x rate per addition against 4.6 pJ per multiplication, zeros included."""
    found = crossover(layers(steps), load_hardware("literature_45nm"), 8, rates=(0.1, 0.4))
    assert found.rate == pytest.approx(min(1.0, 4.6 / (0.9 * steps)), rel=1e-3)
    assert found.time_steps == steps
    macs = 40 * 30 + 30 * 20
    assert found.curve["spiking_j"].tolist() == pytest.approx([0.9e-12 * macs * steps * r for r in (0.1, 0.4)])
    assert found.curve["non_spiking_j"].tolist() == pytest.approx([4.6e-12 * macs] * 2)
    assert (found.curve["ratio"] == found.curve["spiking_j"] / found.curve["non_spiking_j"]).all()


def test_the_curve_is_the_estimate_at_that_rate():
    chip = load_hardware("generic_45nm")

    def example(rate: float) -> Workload:
        return Workload.example("sdtv2_8_256", rate=rate, time_steps=5, fused=True)

    found = crossover(example(0.2), chip, 4, rates=(0.1,))
    assert found.curve["spiking_j"][0] == pytest.approx(float(estimate(example(0.1), chip, 4).energy_j), rel=1e-9)
    dense = float(estimate(non_spiking(example(0.1), dense=True), chip, 4).energy_j)
    assert found.curve["non_spiking_j"][0] == pytest.approx(dense, rel=1e-9)
    assert float(estimate(example(found.rate), chip, 4).energy_j) == pytest.approx(dense, rel=1e-4)
    thinned = crossover(example(0.2), chip, 4, rates=(0.1,), density=0.5)
    assert thinned.rate < found.rate
    assert 0.5 * dense < thinned.curve["non_spiking_j"][0] < dense


def test_the_published_crossover_lies_between_the_chips():
    """Yan et al. (v4): below 5.7 % at T = 5 on "typical neuromorphic hardware", whose constants were not read."""
    work = Workload.example("sdtv2_8_256", time_steps=5, fused=True)
    found = {
        name: crossover(work, load_hardware(name), 8).rate
        for name in ("tick_batched_28nm", "generic_22nm", "generic_45nm")
    }
    assert found["tick_batched_28nm"] == 0 < found["generic_22nm"] < 0.057 < found["generic_45nm"]
    page = " ".join((Path(__file__).parents[3] / "docs" / "cost-models.md").read_text(encoding="utf-8").split())
    for name in ("generic_22nm", "generic_45nm"):
        assert f"{100 * found[name]:.1f} % on `{name}`" in page


def test_a_design_that_never_or_always_wins():
    chip = load_hardware("literature_45nm")
    assert crossover(layers(4), chip, 8).rate == 1
    assert crossover(layers(100_000), chip, 8, density=1e-3).rate == 0


def test_bit_budgets_by_hand():
    work, chip = layers(6), load_hardware("generic_45nm")
    budgets = bit_budgets(work, chip, [4, 3])
    assert budgets.dense == 6 * (1200 * 4 + 600 * 3)
    assert budgets.happening == pytest.approx(0.1 * budgets.dense)
    other = bit_budgets(non_spiking(work, dense=True), chip, [4, 3])
    assert other.dense == other.happening == 3 * (1200 * 4 + 600 * 3)  # ceil(log2(6 + 1)) bits for 6 steps


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"density": 0}, "density is 0; expected a share"),
        ({"rates": (0.1, 2)}, "rates: 2 is not a firing rate"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], said: str):
    with pytest.raises(CostError, match=said):
        crossover(layers(4), load_hardware("generic_45nm"), Designs(np.array([4, 4])), **given)
    with pytest.raises(CostError, match="no neuron of the layer table fires"):
        crossover(layers(4, rate=0.0), load_hardware("generic_45nm"), 4)
