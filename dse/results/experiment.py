"""The network, images and chip of a finished run, in the form and with the integers of one of its designs."""

from __future__ import annotations

from dse.errors import ConfigError
from dse.evaluation.experiment import Experiment
from dse.evaluation.prepare import prepare
from dse.problem.design import Design
from dse.progress import Advance, quiet
from dse.results import trust
from dse.results.run import Run
from dse.results.tuned_weights import with_weights


def experiment_of(run: Run, name: str | None, advance: Advance = quiet) -> Experiment:
    """Network, images and chip of a run, in the form and with the integers of a design.

    run      the run
    name     the design, by id or origin
    advance  shows the progress

    Raises ConfigError where the run has no such design, where network or checkpoint are no longer those of the run, and
    where the run names a Python file that has not been run on this machine.
    """
    design = run.design(name)
    trust.check(run.config, run.path)
    experiment = prepare(run.config, advance)
    _check_network(run, experiment, design)
    alone, weights = experiment.of(design), run.weights(name)
    return alone if weights is None else with_weights(alone, weights)


def _check_network(run: Run, experiment: Experiment, design: Design) -> None:
    """Raises ConfigError where a design belongs to another network, or was measured with other weights."""
    network, known = experiment.network, experiment.networks.layers.values()
    if design.layers not in known:
        strange = [name for name in design.layers if name not in set(network.layers)]
        first = strange[0] if strange else next(name for name in network.layers if name not in set(design.layers))
        raise ConfigError(
            f"{run.path / 'results.csv'}: its designs have {len(design.layers)} weight layers, "
            f"network {network.model.config.name} ({network.form}) has {len(network.layers)}; "
            f"{first} is in one only; "
            f"restore checkpoint, network and form in {run.path / 'config.yaml'}"
        )
    checkpoint = run.manifest.get("checkpoint")
    recorded = checkpoint["sha256"] if checkpoint else experiment.checkpoint.sha256
    if recorded != experiment.checkpoint.sha256:
        new, old = experiment.checkpoint.sha256[:12], recorded[:12]
        reference = run.config.network.reference
        source = f"network {reference}" if reference else f"checkpoint {run.config.weights}"
        raise ConfigError(
            f"{run.path / 'config.yaml'}: {source} has the SHA-256 {new}..., "
            f"the run was made with {old}...; restore that file or search again"
        )
