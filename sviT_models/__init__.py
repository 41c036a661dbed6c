"""Spiking Vision Transformers in torch: the network, its quantization, and what can be measured on it.

Names are imported when first used (PEP 562), so `import sviT_models` alone does not import torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "ModelError": "errors",
    "build": "zoo",
    "names": "zoo",
    "families": "zoo",
    "networks": "zoo",
    "Network": "zoo",
    "LIF": "network.neuron",
    "lif": "network.neuron",
    "MetaSpikeFormer": "zoo.sdtv2",
    "ModelConfig": "zoo.sdtv2",
    "lif_layers": "graph.layers",
    "weight_layers": "graph.layers",
    "with_time_steps": "graph.layers",
    "spike_counts": "measure.hooks",
    "layer_table": "measure.layer_table",
    "profile": "measure.layer_table",
    "FiringCount": "measure.firing",
    "spike_health": "measure.firing",
    "load_checkpoint": "checkpoints.files",
    "read_metadata": "checkpoints.files",
    "save_checkpoint": "checkpoints.files",
    "sha256": "hashing",
    "fuse": "graph.fuse",
    "Graph": "graph.graph",
    "GraphNetwork": "graph.network",
    "possible_steps": "graph.layers",
    "with_steps": "graph.time_steps",
    "capture": "graph.capture",
    "save_graph": "graph.files",
    "open_graph": "graph.files",
    "SpikingLaw": "graph.neurons",
    "IntegerLaw": "graph.neurons",
    "Neuron": "graph.recognise",
    "user_network": "graph.user_file",
    "load_weights": "checkpoints.weights",
    "OpenedNetwork": "checkpoints.network",
    "open_network": "checkpoints.network",
    "opened": "checkpoints.network",
    "ImageSet": "data",
    "Binning": "data",
    "dataset_names": "data",
    "has_test": "data",
    "load_data": "data",
    "loader_speed": "data",
    "Checkpoint": "checkpoints.shipped",
    "checkpoint_path": "checkpoints.shipped",
    "open_checkpoint": "checkpoints.shipped",
    "shipped_names": "checkpoints.shipped",
    "Recipe": "training.recipe",
    "recipe_for": "training.recipe",
    "train": "training.train",
    "store_training": "training.train",
    "ChaosFloor": "measure.chaos_floor",
    "chaos_floor": "measure.chaos_floor",
    "QuantizedWeight": "quantization.quantizers",
    "quantize_weight": "quantization.quantizers",
    "WeightBank": "quantization.weight_bank",
    "Engine": "engine.engine",
    "exact_run": "engine.definition",
    "graph_definition": "engine.definition",
    "graph_weights": "engine.definition",
    "accumulator_widths": "integer_network.specification",
    "export": "integer_network.write",
    "exported_design": "integer_network.specification",
    "load_export": "integer_network.read",
    "verify_export": "integer_network.read",
    "onnx_model": "integer_network.onnx_model",
    "write_onnx": "integer_network.onnx_model",
    "verify_onnx": "integer_network.onnx_model",
    "sweep": "engine.sweep",
    "Output": "output",
    "quantized": "quantization.fake_quantized",
    "fake_quantized_run": "quantization.fake_quantized",
    "fisher_scores": "quantization.fisher",
    "activation_scores": "engine.fixed_point.activation_scores",
    "Schedule": "training.finetune",
    "finetune_design": "training.finetune",
    "LearnedBank": "training.finetune",
    "Reestimated": "training.batch_norms",
    "reestimate": "training.batch_norms",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
