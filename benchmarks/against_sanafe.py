"""Record what SANA-FE counts and charges for small layers on its Loihi, as the reference of tests/costmodels.

    pip install sanafe          (2.2.9 was used; GPL-3, so it is no dependency of ours and runs in its own environment)
    python benchmarks/against_sanafe.py tests/costmodels/data/sanafe.json

Needs nothing of this repository. Where sanafe can be imported, tests/costmodels/test_validation.py runs this and
compares live as well. Every output neuron gets input in every step, so that SANA-FE updates all of them,
as a leaky neuron must be.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
import sanafe

STEPS = 6


def spike_trains(neurons: int, rate: float, seed: int) -> np.ndarray:
    """(neurons, STEPS) of 0 and 1; the first neurons of each step spike so that no step is empty."""
    trains = (np.random.default_rng(seed).random((neurons, STEPS)) < rate).astype(int)
    trains[:2] = 1
    return trains


def run(case: dict, trains: np.ndarray) -> dict:
    chip = sanafe.load_loihi()
    network = sanafe.Network()
    silent = {"threshold": 1e9, "reset": 0.0, "leak_decay": 1.0, "force_update": True}
    source = network.create_neuron_group("source", len(trains), model_attributes={})
    for index, train in enumerate(trains):
        source[index].set_attributes(soma_hw_name=f"loihi_inputs[{index}]", model_attributes={"spikes": train.tolist()})
    synapse = "loihi_conv_synapse" if case["kind"] == "conv" else "loihi_dense_synapse"
    sink = network.create_neuron_group(
        "sink", case["outputs"], model_attributes=silent, default_synapse_hw_name=synapse, soma_hw_name="loihi_lif"
    )
    if case["kind"] == "conv":
        side, channels, kernel, filters, stride = (case[k] for k in ("side", "channels", "kernel", "filters", "stride"))
        weights = [1.0] * (kernel * kernel * channels * filters)
        source.connect_neurons_conv2d(
            sink, {"weight": weights}, side, side, channels, kernel, kernel, filters, stride, stride
        )
    else:
        source.connect_neurons_dense(sink, {"weight": [1.0] * (len(trains) * case["outputs"])})
    source.map_to_core(chip.tiles[0].cores[0])
    sink.map_to_core(chip.tiles[0].cores[1])
    machine = sanafe.SpikingChip(chip)
    machine.load(network)
    result = machine.sim(STEPS)
    return {"energy": {name: float(value) for name, value in result["energy"].items()}, "sim_time": result["sim_time"]}


def record() -> dict:
    """Layers, their spike trains, and what SANA-FE says of them."""
    cases = [
        {"kind": "linear", "inputs": 64, "outputs": 48, "rate": 0.3, "seed": 1},
        {"kind": "linear", "inputs": 200, "outputs": 500, "rate": 0.1, "seed": 2},
        {"kind": "conv", "side": 8, "channels": 2, "kernel": 3, "filters": 4, "stride": 1, "rate": 0.2, "seed": 3},
        {"kind": "conv", "side": 9, "channels": 3, "kernel": 3, "filters": 5, "stride": 2, "rate": 0.2, "seed": 4},
    ]
    for case in cases:
        if case["kind"] == "conv":
            end = (case["side"] - case["kernel"]) // case["stride"] + 1
            case["inputs"], case["outputs"] = case["side"] ** 2 * case["channels"], end * end * case["filters"]
        trains = spike_trains(case["inputs"], case["rate"], case["seed"])
        if case["kind"] == "conv":
            trains[:] = np.maximum(trains, 0)
            trains[: case["channels"]] = 1
        case["spikes"] = ["".join(map(str, train)) for train in trains]
        case["sanafe"] = run(case, trains)
    return {"tool": f"sanafe {version('sanafe')}", "architecture": "sanafe/examples/loihi.yaml", "steps": STEPS} | {
        "cases": cases
    }


def main(path: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(record(), stream, indent=1)
        stream.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
