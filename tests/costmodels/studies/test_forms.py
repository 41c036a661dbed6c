"""Savings of narrow weights under every form of the datapath."""

from pathlib import Path

import numpy as np
import pytest

from costmodels import Candidates, CostError, Designs, Workload, datapaths, estimate, forms, load_hardware
from tests.costmodels.small import plain, two_layers

WORK = Workload.example("sdtv2_8_256")


def test_every_form_is_a_chip_of_its_own_and_the_files_comes_first():
    chip = load_hardware("generic_45nm")
    table = forms(Candidates.of(WORK, np.full((1, 138), 4)), chip)
    assert table["form"].tolist() == ["ideal", *(name for name in datapaths.names() if name != "ideal")]
    unit = {"weight_bits": 8, "input_bits": 16}
    entries = {key: {"value": value, "unit": "bit", "source": "test"} for key, value in unit.items()}
    fixed = chip.with_datapath({"form": "fixed", **entries})
    narrow, wide = (float(estimate(WORK, fixed, bits).energy_j) for bits in (4, 8))
    row = table.set_index("form").loc["fixed"]
    assert row["energy_j"] == narrow
    assert row["energy_saving"] == pytest.approx(1 - narrow / wide)
    assert row["unit"] == "8 x 16 bit"
    serial = table.set_index("form").loc["bit_serial"]  # a bit a cycle is too slow for 30 images per second
    assert not serial["feasible"]
    assert [text.split(";")[0].split(" takes ")[0] for text in serial["reasons"]] == ["an inference"]
    assert row["reasons"] == []


def test_the_form_decides_how_much_narrow_weights_save(tmp_path: Path):
    table = forms(Candidates.of(two_layers(), Designs([[3, 3], [8, 8]], names=("narrow", "wide"))), plain(tmp_path))
    saved = table[table["design"] == "narrow"].set_index("form")["energy_saving"]
    assert saved["fixed"] < saved["decomposable"] < saved["ideal"]  # 3 bits run at 4 where the unit splits in halves
    assert saved["fixed"] > 0  # fetches
    wide = table[table["design"] == "wide"]
    assert (wide[["energy_saving", "latency_saving"]] == 0).all(axis=None)
    assert table["design"].tolist() == ["narrow"] * 4 + ["wide"] * 4


def test_savings_are_at_the_steps_potentials_and_spikes_of_the_design(tmp_path: Path):
    chip, own = plain(tmp_path), {"state_bits": 4, "time_steps": 1}
    row = forms(Candidates.of(two_layers(), Designs([2, 2], **own)), chip).iloc[0]
    narrow, wide = (float(estimate(two_layers(), chip, Designs(bits, **own)).energy_j) for bits in ([2, 2], [8, 8]))
    assert row["energy_saving"] == pytest.approx(1 - narrow / wide)


def test_a_chip_of_energies_per_operation_has_no_datapath():
    with pytest.raises(CostError, match="loihi_like states energies per operation, which no datapath explains"):
        forms(Candidates.of(WORK, np.full((1, 138), 4)), load_hardware("loihi_like"))
    with pytest.raises(CostError, match="loihi_like states energies per operation; a datapath does not apply"):
        load_hardware("loihi_like").with_datapath({"form": "ideal"})
