"""A synthetic run directory for the report's tests: official layer names and shapes, made-up measurements.

Nothing here was measured. `python -m tests.reports.make_run OUT [N]` writes one to look at.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from tests.shared import once

DATA = Path(__file__).parents[1] / "data"
WIDTHS = (2, 3, 4, 5, 6, 8)
UNIFORM = (8, 6, 5, 4, 3, 2)
IMAGES, STEPS = 2000, 4
SIZES = (1, 2, 4, 8)  # of the weight memory [MiB]
ENERGY = {"weight_memory": 0.30, "state_memory": 0.22, "compute": 0.25, "spike_routing": 0.08, "leakage": 0.15}


def reported_run(factory: pytest.TempPathFactory) -> Path:
    """A synthetic run of 60 designs with its report, made once for all workers."""

    def make(folder: Path) -> None:
        reports.build(make_run(folder / "run", count=60))

    return once(factory, "reported-run", make) / "run"


def network() -> pd.DataFrame:
    """The layer table of sdtv2_8_512 with assumed spikes: 138 weight layers and 16 attention products."""
    shapes = {}
    with (DATA / "sdtv2_state.csv").open() as file:
        for row in csv.DictReader(file):
            shapes[row["key"].removesuffix(".weight")] = [int(n) for n in row["8_512"].split()]
    rng = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    with (DATA / "sdtv2_macs_224.csv").open() as file:
        for row in csv.DictReader(file):
            rows.append(_layer(row["name"], shapes[row["name"]], int(row["sdtv2_8_512"]), rng))
            if row["name"].endswith("v_conv.0.body.2.1"):
                rows += [_attention(row["name"], which, rng) for which in ("kv", "qkv")]
    return pd.DataFrame(rows)


def _layer(name: str, shape: list[int], macs: int, rng: np.random.Generator) -> dict[str, Any]:
    weights = int(np.prod(shape))
    side = round((macs / weights) ** 0.5)
    neurons = 0 if ".body.2" in name else shape[1] * side * side
    kind = "linear" if len(shape) == 2 else "depthwise" if shape[1] == 1 else "conv"
    rate = float(rng.uniform(0.04, 0.35))
    return _row(name, kind, weights, macs, neurons, rate, shape)


def _attention(name: str, which: str, rng: np.random.Generator) -> dict[str, Any]:
    block = name.split(".attn")[0]
    row = _row(f"{block}.attn.{which}", "attention", 0, 4_000_000, 50_000, float(rng.uniform(0.05, 0.2)), [1, 1])
    return row | {"channel_constants": 0}


def _row(name: str, kind: str, weights: int, macs: int, neurons: int, rate: float, shape: list[int]) -> dict[str, Any]:
    parts = name.split(".")
    spikes = float(round(neurons * STEPS * rate))
    return {
        "name": name,
        "kind": kind,
        "group": name.split(".body")[0],
        "block": ".".join(parts[:2]) if parts[0].startswith(("block", "ConvBlock")) else parts[0],
        "stage": parts[0],
        "input": "spike" if neurons else "multibit",
        "input_bits": 1 if neurons else 16,
        "weights": weights,
        "channel_constants": shape[0],
        "macs": macs,
        "fan_in": int(np.prod(shape[1:])),
        "neurons": neurons,
        "lif": f"{name}_lif" if neurons else "",
        "lif_spikes": spikes,
        "spikes": spikes,
        "synops": float(round(macs * STEPS * (rate if neurons else 1.0))),
        "balance": 0.8,
        "time_steps": STEPS,
    }


def designs(layers: pd.DataFrame, count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Origins (N,) and widths (N, L): float, uniform widths, guided, then designs near the separable optimum."""
    rng = np.random.default_rng(seed)
    weights = layers["weights"].to_numpy(dtype=float)
    harm = sensitivity_of(layers)
    levels = np.array(WIDTHS)

    def near(price: float, noise: float) -> np.ndarray:
        cost = harm[:, None] * 4.0**-levels + price * weights[:, None] * levels
        return levels[(np.log(cost) + noise * rng.normal(size=cost.shape)).argmin(axis=1)]

    origins = ["float", *(f"uniform-{b}" for b in UNIFORM), "guided"]
    widths = [np.full(len(weights), b) for b in (32, *UNIFORM)] + [near(3e-8, 0.6)]
    for price in np.geomspace(1e-10, 3e-6, max(count - len(widths), 1)):
        origins.append("dse")
        widths.append(near(price, float(rng.choice([0.02, 0.3, 0.8]))))
    return origins[:count], np.array(widths)[:count]


def sensitivity_of(layers: pd.DataFrame) -> np.ndarray:
    """Assumed harm of a layer at width b, divided by 4^-b, in percentage points; (L,)."""
    rng = np.random.default_rng(11)
    base = np.exp(rng.normal(0.0, 1.2, size=len(layers)))
    ends = layers["stage"].isin(["downsample1_1", "head"]).to_numpy()
    return 1.4 * base * np.where(ends, 12.0, 1.0) * (layers["weights"].to_numpy(dtype=float) > 0)


def make_run(out: Path, count: int = 120, seed: int = 0, optional: bool = True) -> Path:
    """Write a run directory with `count` designs; `optional` adds the files that a search may leave out."""
    out.mkdir(parents=True, exist_ok=True)
    table = network()
    layers = table[table["kind"] != "attention"].reset_index(drop=True)
    origins, widths = designs(layers, count, seed)
    results = _results(layers, origins, widths, seed)
    ids = list(results["id"])
    front = results[results["on_front"]].sort_values(["memory_bytes", "drop", "id"], ignore_index=True)
    sensitivity = _sensitivity(layers, optional)
    _csv(out, "layers", table)
    _csv(out, "results", results)
    _csv(out, "front", front)
    _csv(out, "sensitivity", sensitivity)
    _csv(out, "hardware", _hardware())
    _csv(out, "spikes", _spikes(table, results, seed))
    _csv(out, "breakdown", _breakdown(table, results, widths, origins))
    _csv(out, "history", _history(results))
    verified = front.iloc[:: max(1, len(front) // 9)][["id", "drop"]].assign(images=4000)
    verified["drop"] += np.random.default_rng(seed + 3).normal(0.15, 0.15, size=len(verified))
    verified = verified.assign(drop_low=verified["drop"] - 0.35, drop_high=verified["drop"] + 0.35)
    picks = _picks(results, verified)
    if optional:
        _csv(out, "verified", verified[["id", "drop", "drop_low", "drop_high", "images"]])
        rng = np.random.default_rng(seed + 5)
        part = results[results["origin"] == "dse"].iloc[::2]
        sd = 0.2 + 0.1 * part["drop"]
        predictions = {"id": part["id"], "predicted": part["drop"] + sd * rng.normal(size=len(part)), "sd": sd}
        _csv(out, "predictions", pd.DataFrame({**predictions, "measured": part["drop"]}))
        _csv(out, "health", _health(table, [ids[0], picks["picks"][0]["id"]]))
        _csv(out, "codesign", _codesign(results))
        swept = [("memories.weights.size", size) for size in SIZES] + [("memories.weights.word", w) for w in (64, 128)]
        _csv(out, "knobs", pd.DataFrame(swept, columns=["knob", "value"]))
        (out / "stability.json").write_text(json.dumps(_stability(results)))
    (out / "picks.json").write_text(json.dumps(picks, indent=2))
    (out / "manifest.json").write_text(json.dumps(_manifest(count, optional), indent=2))
    (out / "config.yaml").write_text(
        "checkpoint: synthetic.safetensors\nhardware: synthetic_chip\nframe_rate: 30.0\n"
        "search:\n  strategy: dse\n  widths: [2, 3, 4, 5, 6, 8]\nbudgets:\n  drop: 1.0\n  memory: 33000000.0\n"
    )
    return out


def _csv(out: Path, name: str, table: pd.DataFrame) -> None:
    table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")


def _results(layers: pd.DataFrame, origins: list[str], widths: np.ndarray, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed + 1)
    harm = (sensitivity_of(layers) * 4.0 ** -widths.astype(float)).sum(axis=1)
    drop = np.where(
        np.array(origins) == "float", 0.0, 79.0 * (1 - np.exp(-harm / 79.0)) * rng.normal(1, 0.06, len(harm))
    )
    drop = np.round(drop * IMAGES / 100) / IMAGES * 100
    half = np.where(drop == 0, 0.1, 0.25 + 0.12 * np.sqrt(drop)) * (np.array(origins) != "float")
    weights = layers["weights"].to_numpy(dtype=float)
    memory = (widths * weights).sum(axis=1) / 8 + 1.5e6
    energy = 2e-13 * (widths * weights).sum(axis=1) ** 0.96 + 3e-5 * (1 + 0.02 * rng.normal(size=len(drop)))
    top1 = 0.797 - drop / 100
    table = pd.DataFrame(
        {
            "id": [
                hashlib.sha256(w.tobytes() + o.encode()).hexdigest()[:10] for w, o in zip(widths, origins, strict=True)
            ],
            "origin": origins,
            "time_steps": STEPS,
            "top1": top1,
            "top1_stderr": np.sqrt(top1 * (1 - top1) / IMAGES),
            "drop": drop,
            "drop_low": drop - half,
            "drop_high": drop + half,
            "kl": drop / 40,
            "images": IMAGES,
            "memory_bytes": memory,
            "energy_j": energy,
            "latency_s": 2e-3 + 20 * energy,
            "power_w": 30 * energy,
            "mean_weight_bits": (widths * weights).sum(axis=1) / weights.sum(),
        }
    )
    searched = table["origin"] != "float"
    table["on_front"] = searched & nondominated(table[["drop", "memory_bytes", "energy_j"]].to_numpy(), searched)
    table["feasible"] = (table["drop"] <= 1.0) & (table["memory_bytes"] <= 33e6)
    bits = pd.DataFrame(widths, columns=[f"w:{n}" for n in layers["name"]])
    return pd.concat([table, bits], axis=1)


def nondominated(points: np.ndarray, eligible: pd.Series) -> np.ndarray:
    """Whether no eligible point is at least as good everywhere and better somewhere, by comparing all pairs."""
    among = points[eligible.to_numpy()]
    return np.array([not ((among <= p).all(axis=1) & (among < p).any(axis=1)).any() for p in points])


def _sensitivity(layers: pd.DataFrame, measured: bool) -> pd.DataFrame:
    harm = pd.Series(sensitivity_of(layers)).groupby(layers["group"], sort=False).sum()
    rows = []
    for group, value in harm.items():
        for bits in WIDTHS:
            row: dict[str, Any] = {"group": group, "bits": bits, "score": value * 4.0**-bits / 50}
            if measured and bits in (2, 3, 4):
                drop = value * 4.0**-bits
                low, high = drop - 0.05 - 0.2 * drop, drop + 0.05 + 0.2 * drop
                row |= {"kl": drop / 40, "drop": drop, "drop_low": low, "drop_high": high, "images": IMAGES}
            rows.append(row)
    return pd.DataFrame(rows)


def _hardware() -> pd.DataFrame:
    rows = [
        ("compute.add_8", 0.03, "pJ", "Horowitz 2014, table, 45 nm, 8-bit integer add", 0.02, 0.04),
        ("sram.read", 10.0, "pJ", "Horowitz 2014, 8 kB SRAM read of 64 bit, 45 nm", 5.0, 20.0),
        ("dram.read", 15.0, "pJ/bit", "assumption of this synthetic file", None, None),
        ("clock", 200.0, "MHz", "assumption of this synthetic file", 100.0, 400.0),
    ]
    return pd.DataFrame(rows, columns=["key", "value", "unit", "source", "low", "high"])


def _spikes(layers: pd.DataFrame, results: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed + 2)
    lif = layers[layers["neurons"] > 0]
    factor = 1 + 0.03 * rng.normal(size=(len(results), len(lif))) * (results["origin"] != "float").to_numpy()[:, None]
    table = pd.DataFrame(factor * lif["lif_spikes"].to_numpy(), columns=[f"s:{n}" for n in lif["lif"]])
    table.insert(0, "id", results["id"])
    return table


def _breakdown(layers: pd.DataFrame, results: pd.DataFrame, widths: np.ndarray, origins: list[str]) -> pd.DataFrame:
    weight_rows = (layers["kind"] != "attention").to_numpy()
    parts = []
    for i in np.flatnonzero(results["on_front"] | (results["origin"] != "dse")):
        bits = np.zeros(len(layers))
        bits[weight_rows] = widths[i]
        weights = bits * layers["weights"] / 8
        constants = 1.5e6 * layers["channel_constants"] / layers["channel_constants"].sum()
        share = (layers["synops"] + 1) / (layers["synops"] + 1).sum()
        parts += [_part(results["id"][i], layers, "memory_bytes", "weights", weights * weight_rows)]
        parts += [_part(results["id"][i], layers, "memory_bytes", "constants", constants)]
        for component, part in ENERGY.items():
            parts += [_part(results["id"][i], layers, "energy_j", component, part * share * results["energy_j"][i])]
    return pd.concat(parts, ignore_index=True)


def _part(design: str, layers: pd.DataFrame, quantity: str, component: str, values: pd.Series) -> pd.DataFrame:
    columns = {"id": design, "layer": layers["name"], "stage": layers["stage"], "quantity": quantity}
    return pd.DataFrame({**columns, "component": component, "value": values})


def _history(results: pd.DataFrame) -> pd.DataFrame:
    searched = results[results["origin"] != "float"].reset_index(drop=True)
    base = searched["origin"] != "dse"
    volume = 0.6 * (1 - np.exp(-np.arange(1, len(searched) + 1) / 20))
    return pd.DataFrame(
        {
            "trial": range(len(searched)),
            "id": searched["id"],
            "phase": np.where(base, "2 base setting", "3 guided search"),
            "origin": searched["origin"],
            "images": IMAGES,
            "seconds": 1.25,
            "hypervolume": volume,
        }
    )


def _picks(results: pd.DataFrame, verified: pd.DataFrame) -> dict[str, Any]:
    rows = results.set_index("id", drop=False)
    by_fit = verified.sort_values("drop", key=lambda d: (d - 0.5).abs())
    chosen = list(by_fit["id"][:3])
    names = ("recommended", "knee", "least energy")
    why = (
        "least memory among the designs verified to meet every budget",
        "largest distance to the chord",
        "least energy",
    )
    reference = results.drop_duplicates("origin").set_index("origin")
    against = {
        o: {
            k: float(1 - rows.loc[chosen[0], c] / reference.loc[o, c])
            for k, c in (("memory", "memory_bytes"), ("energy", "energy_j"))
        }
        for o in ("float", "uniform-8", "guided")
        if o in reference.index
    }
    return {
        "budgets": {"drop": 1.0, "memory_bytes": 33e6},
        "verified_candidates": len(verified),
        "needed_images": 3000,
        "picks": [_pick(n, w, rows.loc[i]) for n, w, i in zip(names, why, chosen, strict=False)],
        "savings": {"id": chosen[0], "against": against},
    }


def _pick(name: str, why: str, row: pd.Series) -> dict[str, Any]:
    drop, memory = float(row["drop"]), float(row["memory_bytes"])
    sure = 0.97 if drop <= 0.7 else 0.4
    verdicts = ("OK" if sure >= 0.95 else "REVIEW", "OK" if memory <= 33e6 else "REVIEW")
    return {
        "name": name,
        "id": str(row["id"]),
        "why": why,
        "p_drop_within_budget": sure,
        "rows": [
            {
                "quantity": "drop",
                "unit": "pp",
                "budget": 1.0,
                "achieved": drop,
                "slack": 1.0 - drop,
                "verdict": verdicts[0],
                "note": f"P(drop within budget) = {sure:.2f} on 4000 unseen images",
            },
            {
                "quantity": "memory_bytes",
                "unit": "B",
                "budget": 33e6,
                "achieved": memory,
                "slack": 33e6 - memory,
                "verdict": verdicts[1],
                "note": "",
            },
        ],
        "predicted_drop": None,
        "searched_drop": {"value": drop, "low": drop - 0.4, "high": drop + 0.4, "images": IMAGES},
        "verified_drop": {"value": drop, "low": drop - 0.35, "high": drop + 0.35, "images": 4000},
    }


def _health(layers: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    lif = layers[layers["neurons"] > 0]
    rate = (lif["lif_spikes"] / (lif["neurons"] * STEPS)).to_numpy()
    parts = []
    for i, design in enumerate(ids):
        columns = {"id": design, "name": lif["lif"].to_numpy(), "neurons": lif["neurons"].to_numpy()}
        parts.append(
            pd.DataFrame({**columns, "rate": rate * (1 + 0.05 * i), "dead": 0.1 * rate + 0.01 * i, "saturated": 0.002})
        )
    return pd.concat(parts, ignore_index=True)


def _codesign(results: pd.DataFrame) -> pd.DataFrame:
    best = results[results["feasible"]].nsmallest(3, "memory_bytes")
    if best.empty:
        best = results.nsmallest(3, "memory_bytes")
    costs = best[["id", "memory_bytes", "energy_j", "latency_s"]].assign(area_mm2=4.0, feasible=True)
    size = pd.Series(SIZES[: len(best)], index=best.index)
    parts = []
    for objective, gain, word in (("energy_j", 0.1, 64), ("latency_s", 0.02, 128), ("area_mm2", 0.3, 64)):
        head = costs.assign(design="pick", objective=objective, gain=gain)
        parts.append(head.assign(**{"memories.weights.size": size, "memories.weights.word": word}))
    return pd.concat(parts, ignore_index=True)


def _stability(results: pd.DataFrame) -> dict[str, Any]:
    keys = ["sram.read", "compute.add_8", "dram.read", "clock"]
    tornado = [
        {
            "constant": k,
            "low": 0.5,
            "high": 2.0,
            "range": "stated" if i < 2 else "x0.5 to x2",
            "low_change": -0.3 / (i + 1),
            "high_change": 0.6 / (i + 1),
        }
        for i, k in enumerate(keys)
    ]
    scenarios = [
        {
            "constant": k,
            "change": c,
            "tau": 0.99 - 0.02 * i,
            "front_kept": 1 - 0.03 * i,
            "largest_change": 1.6 - 0.2 * i,
        }
        for i, k in enumerate(keys)
        for c in ("low", "high")
    ]
    front = [int(i) for i in np.flatnonzero(results["on_front"])]
    survival = [{"design": i, "share": 1.0 - 0.01 * (n % 7)} for n, i in enumerate(front)]
    return {
        "objective": "energy_j",
        "designs": len(results),
        "front": front,
        "worst_tau": min(s["tau"] for s in scenarios),
        "scenarios": scenarios,
        "survival": survival,
        "tornado": tornado,
    }


def _manifest(count: int, chaos: bool) -> dict[str, Any]:
    sha = hashlib.sha256(b"synthetic").hexdigest()
    phases = [
        ("prepare", "network, images and chip", "a design is judged by measuring it on these images", 1, 4.0),
        ("1 precision study", "gradient sensitivity of every layer", "which layers can lose bits", 0, 6.0),
        ("2 base setting", "float, uniform widths and the guided setting", "what to beat", 7, 9.0),
        ("3 guided search", "designs proposed by the strategy, measured", "the trade-off", count - 8, 130.0),
        ("4 final network", "candidates measured on unseen images", "a guarantee on unseen images", 7, 18.0),
    ]
    names = ("name", "what", "why", "evaluations", "seconds")
    return {
        "tool": {"name": "svit-dse", "version": "0.0.test"},
        "command": "svit-dse search synthetic.yaml --out run",
        "created": "2026-01-01T00:00:00+00:00",
        "seed": 0,
        "git": {"commit": "0" * 40, "dirty": False},
        "python": "3.11.0",
        "machine": {"system": "Linux", "processor": "x86_64", "cpus": 4},
        "packages": {"torch": "2.13.0", "numpy": "2.4.0"},
        "checkpoint": {"name": "synthetic", "network": "sdtv2_8_512", "path": "synthetic.safetensors", "sha256": sha},
        "data": {"name": "synthetic", "split": "search", "images": IMAGES, "sha256": sha, "ids": ["0", "1"]},
        "hardware": {"name": "synthetic_chip", "sha256": sha, "path": "synthetic_chip.yaml"},
        "float": {
            "top1": 0.797,
            "top1_stderr": 0.009,
            "images": IMAGES,
            "verify": {"top1": 0.795, "top1_stderr": 0.0064, "images": 4000},
        },
        "chaos": {
            "noise": 1e-3,
            "copies": 3,
            "images": IMAGES,
            "changed": 0.012,
            "changed_spread": 0.001,
            "drop": 0.05,
            "kl": 0.004,
            "nll": 0.93,
            "nll_clean": 0.929,
        }
        if chaos
        else None,
        "stop_reason": f"{count - 1} evaluations are done",
        "failures": [],
        "mixed": [],
        "phases": [dict(zip(names, p, strict=True)) | {"images": p[3] * IMAGES} for p in phases],
    }


if __name__ == "__main__":
    make_run(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 120)
