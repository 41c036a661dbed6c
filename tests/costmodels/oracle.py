"""The cost model written a second time, the slow way: one design, one layer after the other, plain Python numbers.

Shares no code with costmodels; reads the same columns and constants. Tests compare both, and benchmarks time both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def ceil_log2(x: float) -> int:
    return max(1, math.ceil(math.log2(max(x, 1))))


def packed(elements: float, bits: float, word: float) -> float:
    if bits == 0:
        return 0
    per_word = max(1, word // bits)
    return math.ceil(elements / per_word) * math.ceil(bits / word)


def live(tensors: Sequence[list[Any]], row: int) -> list[list[Any]]:
    return [tensor for tensor in tensors if tensor[0] <= row <= tensor[1]]


def least_spill(tensors: Sequence[Sequence[Any]], rows: int, room: float) -> list[float]:
    """Bits in DRAM by the last row of every tensor (first row, last row, bits): what is needed last gives way first."""
    inside, spilled = [list(tensor) for tensor in tensors], [0.0] * rows
    for row in range(rows):
        for tensor in sorted(live(inside, row), key=lambda t: -t[1]):
            leaves = min(tensor[2], max(0, sum(t[2] for t in live(inside, row)) - room))
            tensor[2] -= leaves
            spilled[tensor[1]] += leaves
    return spilled


def held_sums(layers: Sequence[Mapping[str, Any]], stream_bits: float | None) -> list[dict[str, Any]]:
    """What is held for every addition: elements, bits, rows while which it takes room, and where its stream began."""
    written: dict[str, tuple[int, int]] = {layer["name"]: (row, row) for row, layer in enumerate(layers)}
    found = []
    for row, layer in enumerate(layers):
        for add in layer["adds"]:
            start, begins = written[add["since"]]
            elements, bits = add["elements"], add["bits"] if stream_bits is None else stream_bits
            found.append({"first": min(start, row), "last": row, "elements": elements, "bits": bits, "begins": begins})
            written[add["name"]] = (row + 1, begins)  # the new sum stands where the old one was
    return found


def in_array(constant: Mapping[str, float], layer: Mapping[str, Any]) -> tuple[float, float]:
    """Share of the processing elements at work, and how often an input is read."""
    tile, room = constant.get("geometry.positions", 0), constant.get("geometry.channels", 0)
    if not tile:
        return layer["balance"], 1
    pixels = layer["out_height"] * layer["out_width"]
    full = pixels / (math.ceil(pixels / tile) * tile)
    full *= layer["out_channels"] / (math.ceil(layer["out_channels"] / room) * room)
    low = max(n for n in range(1, int(tile**0.5) + 1) if tile % n == 0)
    reads = 1.0
    for axis, side in (("height", low), ("width", int(tile // low))):
        if layer["kernel"] == 1:
            continue
        size, outputs = layer[f"in_{axis}"], int(layer[f"out_{axis}"])
        met = 0
        for first in range(0, outputs, side):
            last = min(first + side, outputs) - 1
            start = first * layer["stride"] - layer["padding"]
            end = last * layer["stride"] - layer["padding"] + layer["kernel"]
            met += max(0, min(end, int(size)) - max(start, 0))
        reads *= met / size
    passes = 1 if layer["kind"] == "depthwise" else math.ceil(layer["out_channels"] / room)
    return full, max(1, passes * reads)


def halved(bits: float, whole: float, least: float) -> float:
    while whole / 2 >= max(bits, least):
        whole /= 2
    return whole


def switched(
    form: str, constant: Mapping[str, float], widths: Sequence[float], layer: Mapping[str, Any], grows: bool
) -> dict[str, Any]:
    """Bits that an operation switches in the adder and the register, of both factors, and operations per cycle."""
    other, in_bits, acc, v_bits = widths
    multibit, growth = layer["input"] == "multibit", math.ceil(math.log2(layer["fan_in"]))
    most, own_v = constant["compute.accumulator_bits"], constant["widths.state"]

    def adder(a: float, b: float) -> float:
        return max(acc, min(a + (b if multibit else 0) + growth, most) if grows else most)

    if form == "ideal":
        return {"add": acc, "register": acc, "factors": (other, in_bits), "neuron": v_bits, "rate": 1}
    if form == "bit_serial":
        lanes = constant["compute.datapath.lanes"]
        plane = min(in_bits + growth, most) if grows else most
        tree = in_bits + math.ceil(math.log2(lanes)) if lanes > 1 else 0
        add, register = other * (tree + plane / lanes), other * plane / lanes
        return {"add": add, "register": register, "factors": (0, 0), "neuron": v_bits, "rate": 1 / other}
    a, b = constant["compute.datapath.weight_bits"], constant["compute.datapath.input_bits"]
    if form == "fixed":
        sums = adder(a, b)
        return {"add": sums, "register": sums, "factors": (a, b), "neuron": max(v_bits, own_v), "rate": 1}
    least = constant["compute.datapath.smallest_bits"]
    part_a, part_b = halved(other, a, least), halved(in_bits, b, least)
    sums = adder(part_a, part_b)
    rate = a / part_a * b / part_b if multibit else max(1, adder(a, b) // sums)
    neuron = halved(v_bits, own_v, own_v * least / a)
    return {"add": sums, "register": sums, "factors": (part_a, part_b), "neuron": neuron, "rate": rate}


def taps(layer: Mapping[str, Any], axis: str) -> int:
    """Pairs of an output and a kernel tap along an axis whose input is no padding."""
    places = (
        out * layer["stride"] + tap - layer["padding"]
        for out in range(int(layer[f"out_{axis}"]))
        for tap in range(int(layer["kernel"]))
    )
    return sum(0 <= place < layer[f"in_{axis}"] for place in places)


def layers_of(work: Any) -> list[dict[str, Any]]:
    """The layer table as one dictionary per row."""
    columns = {**work.texts, **{name: values.tolist() for name, values in work.columns.items()}}
    rows = [dict(zip(columns, row, strict=True)) | {"adds": []} for row in zip(*columns.values(), strict=True)]
    for each in work.streams or ():
        add = {"name": each.name, "since": each.since, "elements": each.elements, "bits": each.bits}
        rows[each.after]["adds"].append(add)
    return rows


def wired(constant: Mapping[str, float]) -> dict[str, float]:
    """The constants with wires in every read and write of a memory, and the power of the logic's clock."""
    get = constant.get
    held = max(constant["processing_elements"], get("tile_positions", 1) * get("geometry.channels", 1))
    bits = held * (constant["compute.accumulator_bits"] + constant["widths.state"])
    logic = constant["processing_elements"] * get("element_area", 0) + bits * get("register_area", 0)
    changed = dict(constant)
    for memory in ("weights", "states", "spikes"):
        for kind in ("read", "write"):
            if (key := f"memories.{memory}.{kind}") in constant:
                way = (constant[f"memories.{memory}.area"] ** 0.5 + logic**0.5) / 2
                changed[key] += constant[f"memories.{memory}.word"] * get("wire", 0) * way
    changed["clock_w"] = get("clock_per_area", 0) * logic * constant["clock"]
    return changed


def naive(
    layers: Sequence[Mapping[str, Any]],
    constant: Mapping[str, float],
    dataflow: str,
    widths: Sequence[int],
    weight_bits: Sequence[int],
    steps: int,
    grows: bool = True,
    state_bits: Sequence[int] | None = None,
    activation_bits: int | None = None,
    datapath: str = "ideal",
    stream_bits: int | None = None,
    pins: bool = True,
    own_sums: bool = True,
    skips_zeros: bool = False,
    adds_attention_zeros: bool = False,
) -> dict[str, float]:
    """Energy [J], latency [s], power [W] at the file's frame rate and memory [B] of one design with spiking layers."""
    constant = wired(constant)
    get = constant.get
    literature, event, product = (dataflow == n for n in ("literature", "event_driven", "product_sparsity"))
    keeps_states = dataflow in ("event_driven", "time_step_major")
    fixed = "compute.accumulate" in constant
    word = {m: get(f"memories.{m}.word", 64.0) for m in ("weights", "states", "spikes")}
    room = {m: get(f"memories.{m}.size", math.inf) for m in ("weights", "states", "spikes")}
    rate = {}
    for m in ("weights", "states", "spikes"):
        cycle = get(f"memories.{m}.cycle", 0.0)
        rate[m] = get(f"memories.{m}.banks", 1.0) * (min(constant["clock"], 1 / cycle) if cycle else constant["clock"])
    clock, elements = constant["clock"], constant["processing_elements"]
    supply = iter(weight_bits)
    dynamic = memory = stored_total = fetched_total = states_total = 0.0
    resident, times, buffers = 0.0, [], []
    seen_spikes = False
    sums = held_sums(layers, stream_bits)
    rows: list[dict[str, float]] = []
    for place, layer in enumerate(layers):
        multibit, attention = layer["input"] == "multibit", layer["kind"] == "attention"
        asked = 0 if attention else next(supply)
        isfloat = asked == 32
        wider = [w for w in widths if w >= asked]
        bits = asked if isfloat or attention or not wider else min(wider)
        inputs = layer["in_channels"] * layer["in_height"] * layer["in_width"]
        pixels = layer["out_height"] * layer["out_width"]
        outputs = layer["out_channels"] * pixels
        seen_spikes = seen_spikes or not multibit
        between = activation_bits is not None and multibit and seen_spikes
        table_bits = activation_bits if between else layer["input_bits"]
        in_bits = 32 if isfloat and multibit else table_bits
        v_bits = state_bits[place] if state_bits else (32 if isfloat else constant["widths.state"])
        fan_out = math.ceil(layer["macs"] / inputs)
        per_group = layer["out_channels"] / layer["groups"]
        run = {"depthwise": layer["kernel"] ** 2, "attention": fan_out}.get(layer["kind"], per_group)
        sum_run = {"depthwise": layer["kernel"], "attention": fan_out}.get(layer["kind"], per_group)
        operand = layer["input_bits"]
        if attention and place and layers[place - 1]["kind"] == "attention":
            operand = max(operand, ceil_log2(layers[place - 1]["fan_in"] + 1))
        grown = (operand if attention else bits) + (in_bits if multibit else 0) + math.ceil(math.log2(layer["fan_in"]))
        acc = min(grown, constant["compute.accumulator_bits"]) if grows else constant["compute.accumulator_bits"]
        acc = 32 if isfloat else acc
        other = operand if attention else bits
        form = "ideal" if isfloat else datapath
        full, reads = in_array(constant, layer)
        unit = switched(form, constant, (other, in_bits, acc, v_bits), layer, grows)
        synops = layer["synops"]
        if literature:
            synops = layer["macs"] * (steps if multibit else layer["spikes"] / inputs)
        reuses, all_synops = product and not multibit and not attention, synops
        synops *= layer["product_share"] if reuses else 1
        if attention and adds_attention_zeros and not literature:
            synops = min(layer["spikes"] * fan_out, layer["macs"] * steps)
        left = layer.get(f"nonzero_{asked}", layer["nonzero"]) if skips_zeros else 1
        happen = synops * left  # weights that are zero are fetched all the same

        if fixed:
            conv = layer["kind"] in ("conv", "depthwise")
            add = (
                get("compute.accumulate_convolution", constant["compute.accumulate"])
                if conv
                else constant["compute.accumulate"]
            )
            work_j = happen * (constant["compute.multiply_accumulate"] if multibit else add)
            plain_j = 0.0
        else:
            int_add = constant["compute.add_per_bit"] * unit["add"]
            a, b = unit["factors"]
            int_mult = constant["compute.multiply_per_bit2"] * a * b
            int_mult += constant["compute.multiply_per_bit"] * (a + b) / 2
            plain_j = happen * (int_add + (int_mult if multibit else 0))
            work_j = plain_j
            if isfloat:
                work_j = happen * (
                    constant["compute.float_add"] + (constant["compute.float_multiply"] if multibit else 0)
                )
        sweeps = steps + len(layers) - 1 if event else steps  # a barrier sweeps all rows in every step of the ramp
        neuron_steps = 0 if literature else layer["neurons"] * sweeps
        if "neuron.access" in constant:
            neuron_j = neuron_steps * (constant["neuron.access"] + constant["neuron.update"])
            neuron_j += layer["lif_spikes"] * constant["neuron.spike"] if neuron_steps else 0
        else:
            neuron_j = neuron_steps * 3 * constant["compute.add_per_bit"] * unit["neuron"]
        rescale_j = 0.0
        if not fixed and not attention and not literature:
            scale = constant["widths.scale"]
            once = (
                constant["compute.multiply_per_bit2"] * acc * scale
                + constant["compute.multiply_per_bit"] * (acc + scale) / 2
            )
            once += constant["compute.add_per_bit"] * acc
            if isfloat:
                once = constant["compute.float_multiply"] + constant["compute.float_add"]
            rescale_j = outputs * steps * once
        adds = [s for s in sums if s["last"] == place] if not literature else []
        added = sum(s["elements"] for s in adds) * steps
        moved = sum(s["elements"] * s["bits"] for s in adds) * steps
        stream_j = added * constant["compute.accumulate"] if fixed else moved * constant["compute.add_per_bit"]
        control_j = (get("compute.control_factor", 1.0) - 1) * (plain_j + neuron_j + stream_j)
        control_j += get("compute.control_per_operation", 0.0) * (happen + neuron_steps + added)

        w_words = s_words = v_words = idle = swept = registers = read = written = packets = 0.0
        if not literature:
            together = {"tick_batched": steps, "product_sparsity": steps, "time_step_major": 1}.get(dataflow)
            fetched = synops
            if together and not reuses:
                fetched = min(synops, layer["macs"] * steps / together / min(get("tile_positions", 1.0), pixels))
            w_words = fetched / run * packed(run, bits, word["weights"])
            if event:
                touched = acc if own_sums else v_bits
                s_words = happen / get("spike_group", 1.0) / sum_run * packed(sum_run, touched, word["states"])
                swept = packed(outputs, acc, word["states"]) if own_sums else 0
                s_words += swept * steps
                idle = (sweeps - steps) * (swept + packed(layer["neurons"], v_bits, word["states"]))
            else:
                registers = happen * unit["register"]
            if reuses:
                s_words = all_synops * layer["product_sums_share"] / sum_run * packed(sum_run, acc, word["states"])
            if keeps_states:
                v_words = steps * packed(layer["neurons"], v_bits, word["states"])
            else:
                registers += layer["neurons"] * steps * unit["neuron"]
            traffic = inputs * in_bits * steps
            if in_bits == 1:
                traffic = min(traffic, layer["spikes"] * ceil_log2(inputs))
            read = traffic * reads / word["spikes"]
            if attention:
                read += layer["spikes"] * packed(run, operand, word["spikes"])
            if layer["neurons"]:
                written = min(layer["lif_spikes"] * ceil_log2(layer["neurons"]), layer["neurons"] * steps)
            if multibit:
                written += inputs * in_bits * steps
            written /= word["spikes"]
            packets = layer["spikes"] if event else 0
        held = inputs
        if multibit and seen_spikes:
            held = layer["in_channels"] * layer["in_width"] * min(layer["kernel"], layer["in_height"])
        buffers.append(
            0 if literature else held * table_bits * (steps if dataflow in ("tick_batched", "product_sparsity") else 1)
        )

        stored = layer["weights"] * bits
        if math.isfinite(room["weights"]):
            stored = packed(layer["weights"], bits, word["weights"]) * word["weights"]
        states = packed(layer["neurons"], v_bits, word["states"]) * word["states"] if keeps_states else 0
        scales = 0 if attention or isfloat else layer["out_channels"] * constant["widths.scale"]
        biases = layer["channel_constants"] * (32 if isfloat else constant["widths.bias"])
        if event:
            states += swept * word["states"]
            states += max((s["elements"] * s["bits"] for s in sums if s["begins"] == place), default=0)
        stored += scales + biases
        memory += (stored + states) / 8
        stored_total += stored
        fetches = {"tick_batched": 1, "product_sparsity": 1, "time_step_major": steps}.get(dataflow, 0)
        fetched_total += stored * fetches
        states_total += states
        memory_j = w_words * get("memories.weights.read", 0) + registers * get("compute.register_per_bit", 0)
        memory_j += (s_words + v_words + idle) * (get("memories.states.read", 0) + get("memories.states.write", 0))
        stream_words = {m: moved / word[m] if (m == "states") == event else 0 for m in ("states", "spikes")}
        for m, count in stream_words.items():
            stream_j += count * (get(f"memories.{m}.read", 0) + get(f"memories.{m}.write", 0))
        share = 1.0
        if event:
            cores = get("cores", 1.0)
            held_bits = outputs * v_bits + swept * word["states"]
            need = max(stored / (room["weights"] / cores), held_bits / (room["states"] / cores))
            used = max(1, math.ceil(max(need, outputs / get("neurons_per_core", math.inf))))
            share = used / cores
            inside = layer["macs"] / inputs
            for axis in ("height", "width"):
                if not attention:
                    inside *= taps(layer, axis) / (layer[f"out_{axis}"] * layer["kernel"])
            reached = 1.0
            for axis in ("height", "width") if not attention else ():
                met = {
                    o * layer["stride"] + k - layer["padding"]
                    for o in range(int(layer[f"out_{axis}"]))
                    for k in range(int(layer["kernel"]))
                }
                reached *= len(met & set(range(int(layer[f"in_{axis}"])))) / layer[f"in_{axis}"]
            copies = reached * min(used, max(1, math.ceil(inside / reached - 1e-9)))
            packets *= copies
            buffers[-1] *= copies  # a queue in every core, which holds all inputs of a step
            queue = traffic * reads / word["spikes"]
            read, written = read + queue * (copies - 1), queue * copies
        memory_j += read * get("memories.spikes.read", 0) + written * get("memories.spikes.write", 0)
        network_j = packets * (get("noc.message", 0) + get("noc.hops", 0) * get("noc.hop", 0))
        dynamic += work_j + neuron_j + rescale_j + control_j + memory_j + network_j + stream_j

        time = max(
            (happen / unit["rate"] / full + added) / (elements * share * clock),
            w_words / (rate["weights"] * share),
            2 * (s_words + v_words + stream_words["states"]) / (rate["states"] * share),
            (read + written + 2 * stream_words["spikes"]) / (rate["spikes"] * share),
            packets / get("noc.rate", math.inf),
        )
        rows.append(
            {
                "time": time,
                "stored": stored,
                "read": read,
                "port": (read + written + 2 * stream_words["spikes"]) / rate["spikes"],
                "channel": stored / layer["out_channels"],
                "fetches": fetches,
            }
        )

    dram_j, bandwidth = get("dram.energy", 0.0), get("dram.bandwidth", math.inf)
    tensors: list[list[Any]] = [[max(row - 1, 0), row, bits] for row, bits in enumerate(buffers)]
    if not event and not literature:
        copies = 1 if keeps_states else steps
        tensors += [[s["first"], s["last"], s["elements"] * s["bits"] * copies] for s in sums]
    spilled_maps = [0.0] * len(rows) if event else least_spill(tensors, len(rows), room["spikes"])
    widest = max(layer["fan_in"] for layer in layers) * 16
    slots = min(max(get("dram.buffer", 64 * 1024 * 8), 2 * widest), room["weights"])
    hidden = single = again_j = again_s = 0.0
    for place, row in enumerate(rows):
        over = 2 * spilled_maps[place] * (steps if keeps_states else 1)
        dynamic += over * dram_j
        alone = max(row["time"], over / bandwidth)
        resident += alone
        times.append(alone)
        if not (fetched_total and "dram.energy" in constant):
            continue
        again = (max(1, math.ceil(row["stored"] / (slots / 2))) - 1) * row["read"]
        again_j += again * get("memories.spikes.read", 0)
        again_s += max(0, row["port"] + again / rate["spikes"] - alone)
        single += min(row["stored"], slots / 2)
        if 2 * row["channel"] <= room["weights"]:
            hidden += min(row["stored"] * row["fetches"], max(0, row["time"] * bandwidth - over))
    largest = max(sum(tensor[2] for tensor in live(tensors, row)) for row in range(len(rows)))
    queues = sum(buffers) if event else 0.0
    largest = queues if event else largest
    latency = resident + steps * get("synchronisation", 0.0)
    excess = stored_total - room["weights"]
    if excess > 0 and fetched_total:
        burst = get("dram.burst", 512)
        leaves = min(stored_total, excess + min(slots, excess)) if pins else stored_total
        fetches = fetched_total / stored_total
        dynamic += (
            math.ceil(leaves / burst) * burst * fetches * (dram_j + get("memories.weights.write", 0) / word["weights"])
        )
        further = max(0, leaves - single) / (stored_total - single) if stored_total > single else 0
        dynamic += further * again_j
        latency += further * again_s + max(0, leaves * fetches - hidden) / bandwidth
    if event:
        latency = 0.0
        for step in range(steps + len(times) - 1):
            at_work = [time / steps for row, time in enumerate(times) if 0 <= step - row < steps]
            latency += max(at_work) + get("synchronisation", 0.0)
    spilled = 2 * steps * (max(0, states_total - room["states"]) + max(0, queues - room["spikes"]))
    dynamic += spilled * dram_j
    latency += spilled / bandwidth
    leak = get("dram.background", 0.0) + constant["logic_leakage"]
    leak += sum(get(f"memories.{m}.leakage", 0.0) for m in ("weights", "states", "spikes"))
    clocked = latency if constant["clock_gated"] else 1 / constant["frame_rate"]
    return {
        "energy_j": dynamic + (leak + constant["clock_w"]) * latency,
        "latency_s": latency,
        "power_w": (dynamic + constant["clock_w"] * clocked) * constant["frame_rate"] + leak,
        "memory_bytes": memory + largest / 8,
    }


def constants_of(hardware: Any) -> dict[str, float]:
    """The chip's constants in SI units, and whether its clock stops between inferences."""
    gated = hardware.file.clock_gating == "between_inferences"
    return {key: constant.value for key, constant in hardware.table.items()} | {"clock_gated": float(gated)}
