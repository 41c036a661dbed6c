"""`svit-dse networks` lists the networks that the tool can build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sviT_models import Network

EXAMPLE = "Example: svit-dse networks sdtv1"


def networks(
    text: Annotated[str, typer.Argument(help="Only names that contain this.", metavar="[TEXT]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all columns and sources.")] = False,
) -> None:
    """List the networks: parameters, time steps or levels, MACs by kind of layer input, published accuracy.

    MACs are of one image and time step. A network with integer spikes has levels where others have time steps.
    `svit-dse profile --network NAME` takes any of them.
    """
    from dataclasses import asdict

    import sviT_models
    from dse.commands._show import print_rows
    from dse.errors import ConfigError

    found = [network for network in sviT_models.networks() if text.lower() in network.name]
    if not found:
        raise ConfigError(f"no network's name contains {text!r}; `svit-dse networks` lists all")
    if as_json:
        print_rows([asdict(network) for network in found], as_json=True)
        return
    typer.echo("Parameters in M; time steps T or levels D; MACs of an image and step in M, by")
    typer.echo("kind of layer input, and of attention; top-1 as published, - if not stated.")
    typer.echo(_line("name", "params", "T D", "spikes", "counts", "real", "attn", "top-1"))
    for network in found:
        typer.echo(_line(*_cells(network)))


def _line(*cells: str) -> str:
    name, *numbers = cells
    widths = (7, 4, 6, 6, 5, 4, 5)
    return f"{name:<33} " + " ".join(f"{cell:>{width}}" for cell, width in zip(numbers, widths, strict=True))


def _cells(network: Network) -> tuple[str, ...]:
    """What 80 columns hold of a network."""
    return (
        network.name,
        f"{network.parameters / 1e6:.2f}",
        f"T={network.time_steps}" if network.levels is None else f"D={network.levels}",
        _mega(network.macs_spikes),
        _mega(network.macs_levels + network.macs_integers),
        _mega(network.macs_real),
        _mega(network.macs_attention),
        "-" if network.accuracy is None else f"{network.accuracy:.2f}",
    )


def _mega(macs: int) -> str:
    return "" if macs == 0 else "<1" if macs < 1e6 else f"{macs / 1e6:.0f}"
