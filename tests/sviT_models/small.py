"""A network of a few channels with the weights of the goldens, and images for it."""

import torch

import sviT_models
from tests import goldens

CLASSES = 5
IMAGES = torch.from_numpy(goldens.images((6, 3, 32, 32), seed=4))
LABELS = torch.arange(6) % CLASSES


def network(dims: tuple[int, int, int, int] = (4, 6, 8, 12), time_steps: int = 2, heads: int = 2) -> torch.nn.Module:
    """138 weight layers of 2 to 48 channels, in float32 and evaluation mode."""
    model = sviT_models.MetaSpikeFormer(
        sviT_models.ModelConfig("small", dims, num_classes=CLASSES, time_steps=time_steps, heads=heads)
    )
    state = {key: torch.from_numpy(goldens.weight(key, tuple(t.shape))) for key, t in model.state_dict().items()}
    model.load_state_dict(state)
    return model.eval()
