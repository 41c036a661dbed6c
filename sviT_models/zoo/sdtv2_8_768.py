"""SDTv2 with 123.7 M parameters, `metaspikformer_8_768` of the official code."""

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

EMBED_DIMS = (192, 384, 768, 960)


def build(**options) -> MetaSpikeFormer:
    """The network; `options` are the fields of ModelConfig other than name and embed_dims."""
    return MetaSpikeFormer(ModelConfig(name="sdtv2_8_768", embed_dims=EMBED_DIMS, **options))
