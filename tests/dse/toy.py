"""A network and a chip small enough to know every answer: three layers, additive harm, additive cost."""

from types import SimpleNamespace

import numpy as np

from dse.evaluation.evaluator import Evaluator, Subject
from dse.problem.by_form import ByForm
from dse.problem.design import Design, uniform
from dse.problem.problem import Baseline, Part, Problem
from dse.problem.space import Dimension, Space

LAYERS = ("a", "b", "c")
WEIGHTS = np.array([100, 400, 200])  # per layer
HARM = np.array([4.0, 1.0, 2.0])  # how much a layer suffers
WIDTHS = (2, 4, 8)
IMAGES = 200
CLASSES = 4
COSTS = ("drop", "memory_bytes", "power_w")


class ToyRunner:
    """Logits that move away from the truth with the summed harm of the narrow layers; counts its calls."""

    def __init__(self, broken=lambda bits: False):
        self.designs = []
        self.images = 0
        self._broken = broken
        rng = np.random.default_rng(1)
        self._direction = rng.normal(size=(IMAGES, CLASSES))

    def run(self, images, weight_bits, *, time_steps=None, batch_size=None):
        if self._broken(weight_bits):
            raise RuntimeError("out of memory")
        self.designs.append(tuple(weight_bits))
        self.images += len(images)
        harm = sum(h * 4.0 ** -(min(b, 16) / 2) for h, b in zip(HARM, weight_bits, strict=True))
        index = np.asarray(images)
        logits = 2.0 * np.eye(CLASSES)[index % CLASSES] + harm * self._direction[index]
        spikes = np.full((2, 1), 10 * len(images) + int(sum(weight_bits)))
        return SimpleNamespace(logits=logits, spikes=spikes)


class ToyCosting:
    """Memory is bits, power is bits of the busy layers plus a constant."""

    @staticmethod
    def values(bits):
        bits = np.asarray(bits)
        return (bits * WEIGHTS).sum(-1) / 8.0, 1e-3 * (1 + (bits * WEIGHTS[::-1]).sum(-1) / 8.0)

    def quantities(self, design, evaluation):
        memory, power = self.values(design.weight_bits)
        return {"drop": evaluation.drop, "memory_bytes": float(memory), "power_w": float(power)}


def toy_space():
    return Space(tuple(Dimension(f"w:{n}", "weight", WIDTHS, (n,), n) for n in LAYERS), LAYERS)


def toy_problem(budgets=None, baselines=True):
    space = toy_space()
    bits = np.array(WIDTHS)
    memory = np.outer(WEIGHTS, bits) / 8.0
    harm = HARM[:, None] * 4.0 ** -(bits / 2.0)
    energy = 1e-3 * np.outer(WEIGHTS[::-1], bits) / 8.0
    starts = [Baseline(f"uniform-{b}", space.nearest_levels(b)) for b in (8, 4, 2)]
    tables, offsets = {"memory_bytes": memory, "energy_j": energy}, {"memory_bytes": 0.0, "energy_j": 1e-3}
    return Problem(
        Part(space, tables, offsets, harm - harm[:, -1:]),
        costs=lambda levels: np.stack(ToyCosting.values(space.weight_bits(levels)), axis=-1),
        budgets=budgets or {},
        baselines=tuple(starts) if baselines else (),
    )


def toy_evaluator(runner, batch_size=50):
    images = np.arange(IMAGES)
    return Evaluator(
        ByForm.single(Subject(runner, uniform(LAYERS, 32, 1)), LAYERS), images, images % CLASSES, batch_size
    )


def every_design():
    space = toy_space()
    return [Design(LAYERS, tuple(int(b) for b in space.values(np.array(p))), 1) for p in np.ndindex(3, 3, 3)]
