"""Record what SANA-FE counts and charges for small layers on its Loihi, as the reference of tests/costmodels.

    pip install sanafe          (2.2.9 was used; GPL-3, so it is no dependency of ours and runs in its own environment)
    python benchmarks/against_sanafe.py tests/costmodels/data/sanafe.json

Needs nothing of this repository. Where sanafe can be imported, tests/costmodels/test_validation.py runs this and
compares live as well. Every output neuron gets input in every step, so that SANA-FE updates all of them,
as a leaky neuron must be.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version

import numpy as np
import sanafe

STEPS = 6
INPUT_STEPS = 20  # of the networks of several layers; further steps pass their spikes on
CORES = (1, 2, 4)  # per layer
CORES_PER_TILE = 4
NETWORKS = (
    {"name": "mlp", "inputs": 200, "rate": 0.3, "seed": 11, "layers": [{"outputs": 240}] * 3},
    {
        **{"name": "conv", "side": 12, "channels": 2, "inputs": 288, "rate": 0.3, "seed": 12},
        "layers": [
            {"kernel": 3, "filters": 8, "stride": 1, "side": 10, "outputs": 800},
            {"kernel": 3, "filters": 48, "stride": 2, "side": 4, "outputs": 768},
            {"outputs": 780},
        ],
    },
)


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


def run_network(spec: dict, cores: int) -> dict:
    """A network with `cores` cores per layer, its real spikes sent on; every neuron is updated in every step."""
    rng, chip, network = np.random.default_rng(spec["seed"]), sanafe.load_loihi(), sanafe.Network()
    trains = (rng.random((spec["inputs"], INPUT_STEPS)) < spec["rate"]).astype(int)
    steps = INPUT_STEPS + len(spec["layers"])  # of a pipeline of the layers and the neurons behind the last one
    free = iter([core for tile in chip.tiles for core in tile.cores])
    before = network.create_neuron_group("source", spec["inputs"], model_attributes={})
    for index, train in enumerate(trains):
        spikes = {"spikes": [*train.tolist(), *[0] * len(spec["layers"])]}
        before[index].set_attributes(soma_hw_name=f"loihi_inputs[{index}]", model_attributes=spikes, log_spikes=True)
    before.map_to_core(next(free))
    side, channels = spec.get("side", 0), spec.get("channels", 0)
    neuron = {"threshold": 1.0, "reset": 0.0, "leak_decay": 0.5, "force_update": True}
    for place, layer in enumerate(spec["layers"]):
        conv = "kernel" in layer
        synapse = "loihi_conv_synapse" if conv else "loihi_dense_synapse"
        group = network.create_neuron_group(
            f"layer{place}",
            layer["outputs"],
            model_attributes=neuron,
            default_synapse_hw_name=synapse,
            soma_hw_name="loihi_lif",
        )
        fan_in = layer["kernel"] ** 2 * channels if conv else len(before)
        count = fan_in * (layer["filters"] if conv else layer["outputs"])
        weights = {"weight": (rng.normal(0.3, 1.5, count) / np.sqrt(fan_in)).tolist()}
        if conv:
            size, stride = layer["kernel"], layer["stride"]
            before.connect_neurons_conv2d(
                group, weights, side, side, channels, size, size, layer["filters"], stride, stride
            )
            side, channels = layer["side"], layer["filters"]
        else:
            before.connect_neurons_dense(group, weights)
        own = [next(free) for _ in range(cores)]
        for index in range(layer["outputs"]):  # whole channels, whose neurons lie side by side
            group[index].set_attributes(log_spikes=True)
            group[index].map_to_core(own[index * cores // layer["outputs"]])
        before = group
    machine = sanafe.SpikingChip(chip)
    machine.load(network)
    found = machine.sim(steps, spike_trace=True)
    fired = {f"layer{place}": [0] * layer["outputs"] for place, layer in enumerate(spec["layers"])}
    fired["source"] = trains.sum(1).tolist()
    for step in found["spike_trace"]:
        for spike in step:
            if spike.group_name != "source":
                fired[spike.group_name][spike.neuron_offset] += 1
    tiles = -(-(1 + cores * len(spec["layers"])) // CORES_PER_TILE)
    energy = {name: float(value) for name, value in found["energy"].items()}
    measured = {"energy": energy, "sim_time": found["sim_time"], "packets": found["packets_sent"], "tiles": tiles}
    return {"sanafe": measured, "fired": fired}


def networks() -> list[dict]:
    """Networks, the spikes of their neurons, and what SANA-FE says of them by the number of cores per layer."""
    out = []
    for spec in NETWORKS:
        by_cores = {cores: run_network(spec, cores) for cores in CORES}
        fired = by_cores[1]["fired"]
        assert all(found["fired"] == fired for found in by_cores.values())
        out.append(spec | {"fired": fired, "sanafe": {str(c): found["sanafe"] for c, found in by_cores.items()}})
    return out


def layers() -> list[dict]:
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
    return cases


def record() -> dict:
    """All that the tests compare with."""
    return {"tool": f"sanafe {version('sanafe')}", "architecture": "sanafe/examples/loihi.yaml", "steps": STEPS} | {
        "cases": layers(),
        "input_steps": INPUT_STEPS,
        "networks": networks(),
    }


def main(path: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(re.sub(r"(?<=\d,)\n +(?=\d)", "", json.dumps(record(), indent=1)))
        stream.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
