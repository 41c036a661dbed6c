"""STAtten: the Spike-driven Transformer with attention over space and time (Lee et al., CVPR 2025).

Only the attention differs from `sdtv1`.  Names of parameters as in the official code
(Intelligent-Computing-Lab-Yale/STAtten, e9048a1).
"""

from dataclasses import dataclass, fields

from torch import Tensor

from sviT_models.errors import ModelError
from sviT_models.network.attention import by_head
from sviT_models.zoo import sdtv1


@dataclass(frozen=True, kw_only=True)
class Config(sdtv1.Config):
    """The sizes of an STAtten network: attention sees `chunk` steps at once, which must divide the number of steps."""

    chunk: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_count("chunk")
        if self.time_steps % self.chunk:
            raise ModelError(
                f"time_steps is {self.time_steps}; attention runs over {self.chunk} steps at once: "
                f"expected a multiple of {self.chunk}"
            )


def _of(config: sdtv1.Config) -> Config:
    return Config(**{field.name: getattr(config, field.name) for field in fields(config)})


VARIANTS = {
    "tiny": _of(sdtv1.cifar(64, 2)),  # for tests: no published counterpart
    "cifar_2_256": _of(sdtv1.cifar(256, 2)),
    "cifar_2_512": _of(sdtv1.cifar(512, 2)),
    "cifar100_2_512": _of(sdtv1.cifar(512, 2, num_classes=100)),
    "8_512": _of(sdtv1.imagenet(512, 8)),
    "8_768": _of(sdtv1.imagenet(768, 8)),
}


class Attention(sdtv1.QKVAttention):
    """Q (K^T V) over the tokens of a chunk of steps, divided by the height of the feature map.

    `talking_heads_lif` never fires.
    """

    config: Config

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Spikes (T, B, C, H, W) of all."""
        q_, k_, v_ = (self.chunks(x) for x in (q, k, v))  # (T / chunk, B, heads, C / heads, chunk * N)
        # the products are integers: counted before they are scaled, so that a tie with the threshold is a spike
        counts = (v_ @ k_.transpose(-1, -2)) @ q_
        potentials = self.steps(counts, q.shape) / q.shape[3]
        return self.attn_lif(potentials)

    def chunks(self, x: Tensor) -> Tensor:
        """(T, B, C, H, W) -> (T / chunk, B, heads, C / heads, chunk * N)."""
        tokens = by_head(x.flatten(3), self.config.heads)  # (T, B, heads, C / heads, N)
        return tokens.unflatten(0, (-1, self.config.chunk)).movedim(1, 4).flatten(4)

    def steps(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(T / chunk, B, heads, C / heads, chunk * N) -> `shape`, (T, B, C, H, W)."""
        apart = x.unflatten(4, (self.config.chunk, -1)).movedim(4, 1).flatten(0, 1)  # (T, B, heads, C / heads, N)
        return apart.flatten(2, 3).unflatten(3, tuple(shape[3:]))


def build(variant: str, **options: object) -> sdtv1.SpikeDrivenTransformer:
    """The network with fresh weights; `options` replace fields of its Config.  Raises ModelError for bad ones."""
    return sdtv1.SpikeDrivenTransformer(VARIANTS[variant].changed(name=f"statten_{variant}", **options), Attention)
