"""A design of a run as an integer network on disk, with the accuracy that the files themselves give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sviT_models
from dse.errors import ConfigError
from dse.progress import Advance, quiet
from dse.results.tuned_weights import row_of
from dse.workflows.evaluate import of_run
from dse.workflows.recost import read_run

DEFAULT_STATE_BITS = 16


@dataclass(frozen=True)
class Export:
    """What was written where: shares of images right as the search recorded and as the integer network gets."""

    out: Path
    design: str
    top1: float
    recorded: float
    images: int
    states_given: bool
    state_bits: int
    accumulator_bits: int
    golden: int

    def lines(self) -> list[str]:
        """The export in words."""
        said = [
            f"{self.out}: design {self.design}, accumulators of at most {self.accumulator_bits} bits, "
            f"{self.golden} golden images",
            f"top-1 {self.top1:.2%} on {self.images} search images; the search recorded {self.recorded:.2%}",
        ]
        if not self.states_given:
            said.append(
                f"the search ran it with float potentials; exported with {self.state_bits} bits (choose --state-bits)"
            )
        return said


def export_design(
    run: Path,
    design: str,
    out: Path,
    golden: int = 0,
    state_bits: int | None = None,
    activation_bits: int | None = None,
    advance: Advance = quiet,
) -> Export:
    """Write a design of `run`, by id or origin, into the new folder `out`.

    `activation_bits` are those of the run by default.  `state_bits` is for designs whose potentials are float in the
    search (16 without it).  Raises ConfigError for what is no run or no design of it, for a state width where the
    design has its own, and for too many golden images.
    """
    bench, chosen = of_run(run, design, advance)
    if chosen.state_bits and state_bits is not None:
        raise ConfigError(f"--state-bits: design {chosen.id} has its own widths; leave it out")
    if golden > len(bench.images):
        raise ConfigError(f"--golden {golden}: the search had {len(bench.images)} images; ask for at most that many")
    width = state_bits or DEFAULT_STATE_BITS
    between = activation_bits or bench.activation_bits or None
    own = {lif: bits for stage, bits in chosen.state_bits.items() for lif in bench.lif_by_stage[stage]}
    states = own or dict.fromkeys(bench.lif_layers, width)
    row = row_of(run, read_run(run)[1], design)
    name, recorded = str(row["id"]), float(row["top1"])
    images = bench.images.images[: len(bench.images)]
    bench.round([chosen])
    done = 0

    def count(output: sviT_models.Output) -> None:
        nonlocal done
        done += len(output.logits)
        advance("images through the integer network", done, len(images))

    found = bench.engine.run(
        images,
        list(chosen.weight_bits),
        state_bits=states,
        activation_bits=between,
        time_steps=chosen.time_steps,
        on_batch=count,
    )
    top1 = float((found.logits.argmax(1) == np.asarray(bench.images.labels)).mean())
    spec = sviT_models.export(
        bench.model,
        bench.bank,
        list(chosen.weight_bits),
        states,
        out,
        activation_bits=between,
        time_steps=chosen.time_steps,
        golden_images=images[:golden] if golden else None,
        notes={
            "design": name,
            "checkpoint_sha256": bench.checkpoint.sha256,
            "search_images": len(images),
            "top1": top1,
            "top1_recorded": recorded,
        },
    )
    widest = max(row["worst_case_bits"] for row in spec["accumulators"])
    return Export(out, name, top1, recorded, len(images), bool(own), width, widest, golden)
