"""SDTv2 with 0.9 M parameters, for tests and the demonstration (no published counterpart)."""

from sviT_models.network.meta_spikeformer import MetaSpikeFormer, ModelConfig

EMBED_DIMS = (16, 32, 64, 80)


def build(**options) -> MetaSpikeFormer:
    """The network; `options` are the fields of ModelConfig other than name and embed_dims."""
    return MetaSpikeFormer(ModelConfig(name="sdtv2_tiny", embed_dims=EMBED_DIMS, **options))
