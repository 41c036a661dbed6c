"""A network in one form, with what evaluates designs of it: integer weights, engine, layer table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

import sviT_models
from costmodels import Workload
from dse.evaluation.activation_widths import ActivationWidths
from dse.evaluation.evaluator import Runner, Subject
from dse.evaluation.shared_preparation import SharedFloat
from dse.problem.design import FLOAT, Design, uniform


@dataclass(frozen=True, eq=False)
class Network:
    """A network in one form (`unfused` or `fused`).

    model: the float network; bank: the integer weights of every layer at every width, made when first used; engine:
    evaluates designs; table: the layer table; activations: widths between layers, by the engine's names; shares:
    whether the float network's outputs are kept for other workers; own: a caller's evaluator in the place of the
    engine, None as a rule.
    """

    form: str
    model: Any
    bank: Any
    engine: Any
    table: pd.DataFrame
    activations: ActivationWidths
    shares: bool = False
    own: Runner | None = None

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Weight layers in network order."""
        return tuple(self.weights)

    @cached_property
    def weights(self) -> dict[str, int]:
        """Number of weights per weight layer."""
        rows = self.table[self.table["weights"] > 0]
        return dict(zip(rows["name"], rows["weights"].astype(int), strict=True))

    @cached_property
    def lif_layers(self) -> list[str]:
        """LIF layers in the order of the engine's spike counts."""
        return list(sviT_models.lif_layers(self.model))

    @cached_property
    def lif_by_stage(self) -> dict[str, list[str]]:
        """LIF layers of every stage: those whose neurons are charged to a row of that stage."""
        charged = self.table[self.table["neurons"] > 0]
        return {stage: ";".join(part["lif"]).split(";") for stage, part in charged.groupby("stage", sort=False)}

    @property
    def time_steps(self) -> int:
        """Time steps of the network."""
        return int(self.model.config.time_steps)

    @cached_property
    def float_design(self) -> Design:
        """The float network as a design: every width 32."""
        return uniform(self.layers, FLOAT, self.time_steps)

    @property
    def subject(self) -> Subject:
        """What evaluates the designs of this form."""
        runner = SharedFloat(self.engine, self.model) if self.shares else self.engine
        return Subject(self.own or runner, self.float_design, self.lif_by_stage, self.activations)

    @property
    def workload(self) -> Workload:
        """The layer table for the cost models."""
        return Workload.from_table(self.table)

    def with_zero_shares(self, widths: Sequence[int]) -> Network:
        """The same network whose layer table has the share of weights that are not zero at these widths [bit].

        It is that of the integers which are evaluated, in a column `nonzero_<bits>` for every width but float's.
        """
        shares = {
            f"nonzero_{bits}": [
                self.bank.nonzero(name, bits) if name in self.weights else 1.0 for name in self.table["name"]
            ]
            for bits in widths
            if bits != FLOAT
        }
        return replace(self, table=self.table.assign(**shares))

    def with_bank(self, bank: Any) -> Network:
        """The same network with other integer weights."""
        return replace(self, bank=bank, engine=sviT_models.Engine(self.model, bank))
