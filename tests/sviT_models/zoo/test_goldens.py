import numpy as np
import pytest
import torch

import sviT_models
from tests import zoo_goldens


def runs() -> list[tuple[str, str]]:
    """Every recording with each of its runs: T1, T2, T4 (time steps) or D4, D8 (levels)."""
    return [
        (recording, key.removeprefix("logits_f64_"))
        for recording in zoo_goldens.RECORDINGS
        for key in np.load(zoo_goldens.DATA / f"{recording}.npz")
        if key.startswith("logits_f64_") and zoo_goldens.variant_of(recording)[0] in sviT_models.families()
    ]


@pytest.mark.parametrize(("recording", "run"), runs())
def test_logits_and_spikes_are_those_of_the_official_code(recording, run):
    recorded = np.load(zoo_goldens.DATA / f"{recording}.npz")
    images = zoo_goldens.images(recording)
    options = {"time_steps" if run[0] == "T" else "levels": int(run[1:]), "resolution": images.shape[-1]}
    model = zoo_goldens.network(recording, **options)
    logits: list[torch.Tensor] = []
    model.register_forward_hook(lambda _, inputs, out: logits.append(out))
    names, counts = sviT_models.spike_counts(model, images)
    assert names == recorded["lif_names"].tolist()
    assert counts.dtype == np.int64
    expected, columns = recorded[f"spikes_f64_{run}"], int(run[1:]) + (run[0] == "D")
    np.testing.assert_array_equal(counts, expected[:, :columns])
    assert not expected[:, columns:].any()
    np.testing.assert_allclose(torch.cat(logits).numpy(), recorded[f"logits_f64_{run}"], rtol=0, atol=1e-9)
