"""Spiking Vision Transformers in torch: the network, its quantization, and what can be measured on it.

Names are imported when first used (PEP 562), so `import sviT_models` alone does not import torch.
"""

import importlib
from typing import Any

_HOME = {
    "ModelError": "errors",
    "build": "zoo",
    "names": "zoo",
    "LIF": "neuron",
    "lif": "neuron",
    "MetaSpikeFormer": "network",
    "ModelConfig": "network",
    "lif_layers": "network",
    "weight_layers": "network",
    "with_time_steps": "network",
    "spike_counts": "measure",
    "layer_table": "profiling",
    "profile": "profiling",
    "spike_health": "health",
    "load_checkpoint": "checkpoints",
    "read_metadata": "checkpoints",
    "save_checkpoint": "checkpoints",
    "sha256": "checkpoints",
    "fuse": "fusing",
    "ImageSet": "data",
    "dataset_names": "data",
    "load_data": "data",
    "loader_speed": "data",
    "Checkpoint": "shipped",
    "checkpoint_path": "shipped",
    "open_checkpoint": "shipped",
    "shipped_names": "shipped",
    "Recipe": "training",
    "recipe_for": "training",
    "train": "training",
    "store_training": "training",
    "ChaosFloor": "chaos",
    "chaos_floor": "chaos",
    "QuantizedWeight": "quantize",
    "quantize_weight": "quantize",
    "WeightBank": "bank",
    "Engine": "engine",
    "activation_names": "plans",
    "exact_run": "definition",
    "accumulator_widths": "specification",
    "export": "exporting",
    "exported_design": "specification",
    "load_export": "exported",
    "verify_export": "exported",
    "sweep": "prefix",
    "Output": "output",
    "Reference": "reference",
    "quantized": "reference",
    "reference_run": "reference",
    "fisher_scores": "fisher",
    "Schedule": "finetune",
    "finetune_design": "finetune",
    "LearnedBank": "finetune",
    "Reestimated": "reestimation",
    "reestimate": "reestimation",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
