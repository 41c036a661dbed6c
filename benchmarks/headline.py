"""What a search finds on the networks that ship: savings within an accuracy budget, verified on unseen images.

    python benchmarks/headline.py [fashion_mnist glyphs] [--evaluations 120] [--seed 0]

Each row is one search by `svit-dse` with the default strategy and rounding, post-training, on the chip generic_45nm;
memory is all that the chip stores for the network (packed weights, scales, biases, buffers) against the float file's.
Two designs are shown: the recommended one, which keeps the budget with 95 % probability, and the cheapest whose
verified drop is within it.  `guided` is the setting that the scores alone give.  QSViT's published figures (ImageNet,
another network and energy model) stand beside them.
Ends with one line of JSON.
"""

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd

from dse.config.schema import Config, Data, Search
from dse.workflows import search
from dse.workflows.search_values import Listener

BUDGETS = {"fashion_mnist": 1.0, "digits": 2.1, "glyphs": 1.0}  # percentage points
IMAGES = {
    "fashion_mnist": (2000, 3000),
    "digits": (300, 300),
    "glyphs": (2016, 20_016),
}  # search, verification
QSVIT = {"drop": 2.1, "memory": 0.2275, "power": 0.2133}  # Putra, Iftikhar, Shafique 2025, abstract


def searched(data: str, evaluations: int, seed: int, out: Path) -> list[dict[str, object]]:
    count, unseen = IMAGES[data]
    config = Config(
        checkpoint=f"sdtv2_tiny_{data}",
        data=Data(name=data, search_images=count, verify_images=unseen),
        search=Search(evaluations=evaluations, seed=seed),
        budgets={"drop": BUDGETS[data]},
    )
    run = search.search(config, out, hear=Listener(print))
    table = run.table.set_index("id")
    verified = pd.read_csv(out / "verified.csv").set_index("id").join(table[["memory_bytes"]])
    kept = verified[verified["drop"] <= BUDGETS[data]]
    chosen = {"recommended": run.picks["picks"][0]["id"], "cheapest": str(kept["memory_bytes"].idxmin())}
    guided = table[table["origin"] == "guided"].iloc[0]
    weights = [c for c in table.columns if c.startswith("w:")]
    reference = table.iloc[0]
    rows = []
    for what, design in chosen.items():
        row, seen = table.loc[design], verified.loc[design]
        rows.append(
            {
                "data": data,
                "design": what,
                "mean_bits": float(row["mean_weight_bits"]),
                "time_steps": int(row["time_steps"]),
                "distinct_widths": int(row[weights].nunique()),
                "verdict": run.picks["picks"][0]["rows"][0]["verdict"] if what == "recommended" else "",
                "drop": float(seen["drop"]),
                "low": float(seen["drop_low"]),
                "high": float(seen["drop_high"]),
                "images": int(seen["images"]),
                "memory_saved": float(1 - row["memory_bytes"] / reference["memory_bytes"]),
                "energy_saved": float(1 - row["energy_j"] / reference["energy_j"]),
                "power_saved": float(1 - row["power_w"] / reference["power_w"]),
                "memory_below_guided": float(1 - row["memory_bytes"] / guided["memory_bytes"]),
                "evaluations": len(table) - 1,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["fashion_mnist", "glyphs"])
    parser.add_argument("--evaluations", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for data in given.data:
        with tempfile.TemporaryDirectory() as folder:
            rows += searched(data, given.evaluations, given.seed, Path(folder) / "run")
    heads = (
        "data | design | mean bits | T | drop on unseen images [pp] (95 %) | memory | energy | memory against guided"
    )
    print(f"\n| {heads} | evaluations |")
    print("|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        interval = f"{r['drop']:+.2f} ({r['low']:+.2f} to {r['high']:+.2f}), {r['images']} images {r['verdict']}"
        memory, energy, below = (-float(r[key]) for key in ("memory_saved", "energy_saved", "memory_below_guided"))
        print(
            f"| {r['data']} | {r['design']} | {r['mean_bits']:.2f} | {r['time_steps']} | {interval} | {memory:+.1%} "
            f"| {energy:+.1%} | {below:+.1%} | {r['evaluations']} |"
        )
    published = f"within {QSVIT['drop']} | -{QSVIT['memory']:.2%} | -{QSVIT['power']:.2%} (power)"
    print(f"| ImageNet | QSViT, published | | | {published} | | |")
    print(json.dumps({"benchmark": "headline", "seed": given.seed, "rows": rows, "qsvit": QSVIT}))


if __name__ == "__main__":
    main()
