"""SDTv2 with 15.1 M parameters, the smallest network of the paper (not in the official code)."""

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

EMBED_DIMS = (64, 128, 256, 360)


def build(**options) -> MetaSpikeFormer:
    """The network; `options` are the fields of ModelConfig other than name and embed_dims."""
    return MetaSpikeFormer(ModelConfig(name="sdtv2_8_256", embed_dims=EMBED_DIMS, **options))
