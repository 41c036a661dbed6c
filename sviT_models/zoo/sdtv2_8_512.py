"""SDTv2 with 55.4 M parameters, `metaspikformer_8_512` of the official code."""

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

EMBED_DIMS = (128, 256, 512, 640)


def build(**options) -> MetaSpikeFormer:
    """The network; `options` are the fields of ModelConfig other than name and embed_dims."""
    return MetaSpikeFormer(ModelConfig(name="sdtv2_8_512", embed_dims=EMBED_DIMS, **options))
