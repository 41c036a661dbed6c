"""Why designs do not fit, in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from costmodels import CostError, Workload, comparisons, estimate, load_hardware, reasons
from tests.costmodels.networks import example
from tests.costmodels.small import plain, two_layers


def test_designs_that_do_not_fit_say_why(tmp_path: Path):
    work = Workload.example("sdtv2_8_512")
    assert reasons(work, load_hardware("generic_45nm"), 4) == []
    why = reasons(work, load_hardware("generic_45nm"), 32)
    assert "32-bit weights; generic_45nm stores 1, 2, 3, 4, 5, 6, 7, 8, 16 bits" in why[0]
    assert "lower the frame rate" in why[1]
    crowd = reasons(work, load_hardware("loihi_like"), 4)
    assert any(text.startswith("the layers need") and "cores is 128" in text for text in crowd)
    assert any("all potentials need" in text for text in crowd)
    assert any("all weights need" in text for text in crowd)
    # a memory smaller than one output channel is an answer, not an exception: 64 weights of 4 bit, a scale, a constant
    tiny = plain(tmp_path, size=20)
    cost = estimate(two_layers(), tiny, 4)
    assert not bool(cost.feasible)
    assert bool(cost.violations["layer_weights"])
    assert np.isfinite(float(cost.energy_j))
    assert any(
        "head needs 36 bytes for the weights of one output channel" in text for text in reasons(two_layers(), tiny, 4)
    )


def test_feature_maps_without_dram_must_fit(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    text = (tmp_path / plain(tmp_path, size=20).path).read_text()
    path.write_text(text[: text.index("dram:")])
    chip = load_hardware(path)
    why = reasons(two_layers(), chip, 1)
    assert any(text.startswith("the largest feature map needs 24 bytes") for text in why)
    assert any("or add dram" in text for text in why)


def test_reasons_are_for_one_design():
    with pytest.raises(CostError, match="reasons are for one design, not 2"):
        reasons(example(), load_hardware("generic_45nm"), np.full((2, 138), 4))
    assert isinstance(comparisons(example(), load_hardware("generic_22nm"), widths=()), pd.DataFrame)
