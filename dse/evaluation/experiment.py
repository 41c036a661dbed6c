"""Everything a run works with: the network in every form, images, chip and space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

import sviT_models
from costmodels import Hardware
from dse.arrays import FloatArray
from dse.evaluation.activation_widths import by_dimension
from dse.evaluation.costs import Costing
from dse.evaluation.evaluator import Evaluator
from dse.evaluation.images import ImageSource
from dse.evaluation.network import Network
from dse.evaluation.opened import Opened
from dse.evaluation.own_parts import NONE, OwnParts
from dse.problem.by_form import ByForm
from dse.problem.design import Design, uniform
from dse.problem.space import Space
from dse.progress import Advance, quiet, within

CHAOS_IMAGES = 1000
NUMBERS = ("stream", "between")  # kinds of dimensions that are widths of numbers between layers


@dataclass(frozen=True)
class Experiment:
    """The parts of a run; `dse.evaluation.prepare` makes it from a configuration.

    networks: the network in every form that is searched, one as a rule; checkpoint: where its weights come from;
    source: the data set; images: those on which designs are measured; space: the designs; widths: weight widths to
    choose from [bit], all of which the chip has; frame_rate: inferences per second at which power is stated; advance:
    shows the progress of long steps; own: parts that a caller in Python put in the place of the tool's.
    """

    networks: ByForm[Network]
    checkpoint: Opened
    source: ImageSource
    images: Any
    space: Space
    widths: tuple[int, ...]
    hardware: Hardware
    frame_rate: float
    advance: Advance = quiet
    own: OwnParts = NONE

    @cached_property
    def network(self) -> Network:
        """The network in the first form, whose float network the others are compared with."""
        return self.networks.first

    def of(self, design: Design) -> Experiment:
        """The experiment in the form of a design alone.  Raises KeyError where no form has its layers."""
        form = self.networks.form_of(design.layers)
        return self.with_network(self.networks[form], self.space.forms[form])

    def with_network(self, network: Network, space: Space | None = None) -> Experiment:
        """The experiment with one network, in one form."""
        alone = ByForm.single(network, network.layers, network.form)
        return replace(self, networks=alone, space=space or self.space)

    @property
    def widest(self) -> Design:
        """The design with the widest choice everywhere."""
        return self.space.design(self.space.sizes - 1)

    @property
    def notes(self) -> list[str]:
        """Notes on the integer weights made so far, each once: what calibration or rounding could not do."""
        return list(dict.fromkeys(note for network in self.networks.values() for note in network.bank.notes))

    def costing(self) -> Costing:
        """The cost model of the network on its chip."""
        workloads = self.networks.map(lambda network: network.workload)
        return Costing(workloads, self.hardware, self.frame_rate, tuple(self.network.lif_layers), self.own.costs)

    def evaluator(self, images: Any) -> Evaluator:
        """An evaluator of designs on a set of images; runs the float network once, of every form that occurs."""
        self.round([self.network.float_design])
        return Evaluator(
            self.networks.map(lambda network: network.subject),
            images.images,
            images.labels,
            self.source.batch_size,
            within(self.advance, "images through the float network"),
        )

    def round(self, designs: Iterable[Design]) -> None:
        """Make the integer weights of some designs now, so that measuring them is measuring only."""
        banks = [(self.networks.with_layers(d.layers).bank, d) for d in designs]
        wanted = dict.fromkeys((bank, *pair) for bank, d in banks for pair in zip(d.layers, d.weight_bits, strict=True))
        for done, (bank, layer, bits) in enumerate(wanted, start=1):
            bank.get(layer, bits)
            self.advance("rounding layers", done, len(wanted))

    def chaos_floor(self) -> sviT_models.ChaosFloor:
        """How much the float network disagrees with itself under noise, on the first search images."""
        part = slice(0, CHAOS_IMAGES)
        images, labels = self.images.images[part], self.images.labels[part]
        return sviT_models.chaos_floor(self.network.model, images, labels, seed=self.source.seed)

    def copy_logits(self, number: int, images: Any) -> FloatArray:
        """Logits (N, classes) of a copy of the float network with weight noise; every `number` has other noise."""
        seed = int(np.random.SeedSequence([self.source.seed, number]).generate_state(1)[0])
        return np.asarray(sviT_models.copy_logits(self.network.model, images, seed))

    def fisher(self, widths: Sequence[int]) -> pd.DataFrame:
        """Gradient sensitivity of every layer at every width: `form, layer, bits, score`, of every form.

        widths: in bits. Where widths of streams or of sums between layers are searched, rows named after their
        dimensions follow.
        """
        images, parts = self.source.for_gradients(), []
        for form, network in self.networks.items():
            self.round(uniform(network.layers, bits, network.time_steps) for bits in widths)
            progress = within(self.advance, "images backward")
            data = images.images, images.labels
            found = sviT_models.fisher_scores(network.model, network.bank, *data, list(widths), progress=progress)
            parts.append(found.assign(form=form))
            if numbers := sorted({b for d in self.space.dimensions if d.kind in NUMBERS for b in d.choices}):
                seen = self.source.for_calibration().images
                scored = sviT_models.activation_scores(network.model, *data, numbers, seen)
                parts.append(by_dimension(scored).assign(form=form))
        return pd.concat(parts, ignore_index=True)

    def scores(self, fisher: pd.DataFrame) -> FloatArray:
        """Fisher scores summed over the layers of every dimension, (D, B): the mean of all forms; NaN where unknown."""
        return np.asarray(np.mean(list(self.scores_by_form(fisher).values()), axis=0))

    def scores_by_form(self, fisher: pd.DataFrame) -> dict[str, FloatArray]:
        """The scores (D, B) of every form."""
        return {form: _scores(space, fisher[fisher["form"] == form]) for form, space in self.space.forms.items()}


def _scores(space: Space, fisher: pd.DataFrame) -> FloatArray:
    """Scores (D, B) of the dimensions of one form."""
    by_layer = fisher.pivot_table(index="layer", columns="bits", values="score")
    out = np.full((len(space.dimensions), int(space.sizes.max())), np.nan)
    for row, d in zip(out, space.dimensions, strict=True):
        if d.kind == "weight":
            row[: len(d.choices)] = by_layer.loc[list(d.layers), list(d.choices)].sum(axis=0)
        elif d.kind in NUMBERS:  # what a form does not have does no harm in it
            row[: len(d.choices)] = by_layer.loc[d.name, list(d.choices)] if d.layers else 0.0
    return out
