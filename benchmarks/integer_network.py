"""What fixed-point membrane potentials cost, and whether the interpreter and the engine agree on every image.

    python benchmarks/integer_network.py

Digits, all 600 search and verification images, 4-bit weights with compensated rounding; the last line is JSON.
"""

import json
import time

import numpy as np
import torch

import sviT_models
from sviT_models.measure import accuracy

WEIGHT_BITS = 4
STATE_BITS = (16, 12, 10, 8, 7, 6, 5, 4)


def main() -> None:
    """Print the table and the JSON line."""
    torch.set_num_threads(1)
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    parts = [sviT_models.load_data("digits", split) for split in ("search", "verify")]
    images = torch.cat([part.images for part in parts])
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    calibration = sviT_models.load_data("digits", "validation").images
    bank = sviT_models.WeightBank(model, "compensated", images=calibration)
    engine = sviT_models.Engine(model, bank, threads=1)
    bits = [WEIGHT_BITS] * len(bank.layers)
    for given in (None, 8):  # compile, prepare
        engine.run(images[:50], bits, state_bits=given)
    start = time.perf_counter()
    plain = engine.run(images, bits)
    float_seconds = time.perf_counter() - start
    right = accuracy.correct(plain.logits, labels)
    print(f"{len(images)} images, {WEIGHT_BITS}-bit weights; float32 potentials: top-1 {right.mean():.2%}")
    print("states activations  top-1   drop [pp] 95 % interval     changed  spikes  mean squared logit distance")
    rows = []
    for states, activations in [*((b, 16) for b in STATE_BITS), (8, 12), (8, 8), (8, 6), (6, 8)]:
        found = engine.run(images, bits, state_bits=states, activation_bits=activations)
        drop = accuracy.paired_drop(right, accuracy.correct(found.logits, labels))
        rows.append(
            {
                "states": states,
                "activations": activations,
                "top1": float(accuracy.correct(found.logits, labels).mean()),
                "drop": drop.drop,
                "low": drop.low,
                "high": drop.high,
                "changed": float((found.logits.argmax(1) != plain.logits.argmax(1)).mean()),
                "spikes": float(found.spikes.sum() / plain.spikes.sum()),
                "distance": float(np.square(found.logits - plain.logits).mean()),
            }
        )
        r = rows[-1]
        print(
            f"{states:6} {activations:11}  {r['top1']:.2%} {drop.drop:+9.2f} {drop.low:+6.2f} to {drop.high:+5.2f} "
            f"{r['changed']:12.2%} {r['spikes']:7.3f} {r['distance']:10.4f}"
        )
    start = time.perf_counter()
    fast = engine.run(images, bits, state_bits=8)
    fixed_seconds = time.perf_counter() - start
    exported = sviT_models.exported_design(engine, bits, 8, images)
    start = time.perf_counter()
    slow = exported.run(images.numpy())
    interpreter_seconds = time.perf_counter() - start
    equal = bool(np.array_equal(fast.logits, slow.logits) and np.array_equal(fast.spikes, slow.spikes))
    print(f"8-bit states: engine and interpreter {'equal' if equal else 'DIFFER'} on {len(images)} images")
    print(f"time against float32 potentials: engine {fixed_seconds / float_seconds:.2f}")
    print(f"interpreter against engine: {interpreter_seconds / fixed_seconds:.1f}")
    print(json.dumps({"equal": equal, "time_ratio": fixed_seconds / float_seconds, "rows": rows}))


if __name__ == "__main__":
    main()
