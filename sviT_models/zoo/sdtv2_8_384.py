"""SDTv2 with 31.3 M parameters, `metaspikformer_8_384` of the official code."""

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

EMBED_DIMS = (96, 192, 384, 480)


def build(**options) -> MetaSpikeFormer:
    """The network; `options` are the fields of ModelConfig other than name and embed_dims."""
    return MetaSpikeFormer(ModelConfig(name="sdtv2_8_384", embed_dims=EMBED_DIMS, **options))
