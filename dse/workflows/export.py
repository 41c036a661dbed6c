"""A design of a run as an integer network on disk, with the accuracy that the files themselves give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import sviT_models
from costmodels.whole_files import write_text
from dse.errors import ConfigError
from dse.evaluation.experiment import Experiment
from dse.problem.design import FLOAT, Design
from dse.problem.tool_layouts import layout
from dse.progress import Advance, quiet
from dse.results.experiment import experiment_of
from dse.results.run import Run, open_run
from sviT_models.integer_network.onnx_model import need

DEFAULT_STATE_BITS = 16


@dataclass(frozen=True)
class Widths:
    """Widths [bit] of membrane potentials and of activations between layers; None: the design's, or the run's.

    A design that the search ran with float potentials gets 16 bits.
    """

    state_bits: int | None = None
    activation_bits: int | None = None


OWN = Widths()


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
    onnx: Path | None = None

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
        if self.onnx is not None:
            said.append(f"{self.onnx}: the same as an ONNX model; `svit-dse verify-export {self.out}` runs it, too")
        return said


def export_onnx(
    run: Path, design: str, out: Path, golden: int = 0, widths: Widths = OWN, advance: Advance = quiet
) -> Export:
    """As `export_design`, with `network.onnx` beside the other files; nothing is left where that cannot be written.

    Raises ModelError without the package onnx, before anything else, and for a network beyond 2 GB.
    """
    need("onnx")
    found = export_design(run, design, out, golden, widths, advance)
    try:
        return replace(found, onnx=sviT_models.write_onnx(out))
    except BaseException:
        shutil.rmtree(out)
        raise


def export_layout(run: Path, design: str, out: Path, tool: str) -> list[str]:
    """Write the weight widths of a design as the configuration of a quantization library, and say so in words.

    run, design  as for `export_design`
    out          a file that ends in .json
    tool         one of `dse.problem.tool_layouts.TOOLS`; `aimet` needs the network, for the scales of its integers

    Raises ConfigError as `export_design`, for another ending, and for a width that the library does not have.
    """
    if out.suffix.lower() != ".json":
        raise ConfigError(f"--out {out}: expected a name that ends in .json for --format {tool}")
    opened = open_run(run)
    chosen = opened.design(design)
    layout(chosen, tool, dict.fromkeys(chosen.layers, ()))  # refuses widths before the network is opened
    scales = _scales(opened, design, chosen) if tool == "aimet" else None
    write_text(out, json.dumps(layout(chosen, tool, scales), indent=1) + "\n")
    others = ", nor widths of potentials and streams" if any(chosen.other_bits.values()) else ""
    said = f"weight widths of design {chosen.id} for {tool}; time steps ({chosen.time_steps}) are not in it{others}"
    back = f"to read it back: svit-dse estimate --run {run} --widths {out} --like {chosen.id}"
    return [f"{out}: {said}", back]


def _scales(run: Run, name: str, design: Design) -> dict[str, list[float]]:
    """By layer, the weight of one step of a design's integers in every output channel."""
    bank = experiment_of(run, name).network.bank
    integers = zip(design.layers, design.weight_bits, strict=True)
    return {layer: [] if bits == FLOAT else bank.get(layer, bits).scale.tolist() for layer, bits in integers}


def export_design(
    run: Path, design: str, out: Path, golden: int = 0, widths: Widths = OWN, advance: Advance = quiet
) -> Export:
    """Write a design of the run in `run`, by id or origin, as an integer network into the new folder `out`.

    `golden` is the number of search images that golden vectors are written for.  `widths` are those of potentials and
    activations where the run leaves them open.  `advance` shows the progress.  Raises ConfigError for what is
    no run or no design of it, for a state width where the design has its own, and for too many golden images.
    """
    opened = open_run(run)
    chosen, experiment = opened.design(design), experiment_of(opened, design, advance)
    network, images = experiment.network, experiment.images
    _check(chosen, widths, golden, len(images))
    own = chosen.lif_bits(network.lif_by_stage)
    width = widths.state_bits or DEFAULT_STATE_BITS
    states = own or dict.fromkeys(network.lif_layers, width)
    between = widths.activation_bits or network.activations.of(chosen) or None
    name, recorded = (opened.row(design)[column] for column in ("id", "top1"))
    facts: dict[str, Any] = {
        "design": str(name),
        "checkpoint_sha256": experiment.checkpoint.sha256,
        "search_images": len(images),
        "top1": _integer_top1(experiment, chosen, states, between),
        "top1_recorded": float(recorded),
    }
    spec = sviT_models.export(
        network.model,
        network.bank,
        list(chosen.weight_bits),
        states,
        out,
        activation_bits=between,
        time_steps=chosen.time_steps,
        golden_images=images.images[:golden] if golden else None,
        notes=facts,
    )
    widest = max(row["worst_case_bits"] for row in spec["accumulators"])
    top1, right = facts["top1"], facts["top1_recorded"]
    return Export(out, facts["design"], top1, right, len(images), bool(own), width, widest, golden)


def _check(chosen: Design, widths: Widths, golden: int, images: int) -> None:
    """Raises ConfigError for a state width where the design has its own, and for more golden images than there are."""
    if chosen.state_bits and widths.state_bits is not None:
        raise ConfigError(f"--state-bits: design {chosen.id} has its own widths; leave it out")
    if golden > images:
        raise ConfigError(f"--golden {golden}: the search had {images} images; ask for at most that many")


def _integer_top1(
    experiment: Experiment, design: Design, states: Mapping[str, int], activations: int | Mapping[str, int] | None
) -> float:
    """Share of the search images that the integer network gets right; widths of potentials are by LIF layer [bit]."""
    images = experiment.images.images[: len(experiment.images)]
    experiment.round([design])
    done = 0

    def count(output: sviT_models.Output) -> None:
        nonlocal done
        done += len(output.logits)
        experiment.advance("images through the integer network", done, len(images))

    found = experiment.network.engine.run(
        images,
        list(design.weight_bits),
        state_bits=states,
        activation_bits=activations,
        time_steps=design.time_steps,
        on_batch=count,
    )
    return float((found.logits.argmax(1) == np.asarray(experiment.images.labels)).mean())
