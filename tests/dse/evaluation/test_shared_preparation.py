"""What one worker prepares and another takes over is what each would have prepared by itself."""

import pandas as pd
import pytest

import sviT_models
from dse.config.schema import Config, Data, Quantization, Search
from dse.workflows.search_steps import precision_study, prepare
from dse.workflows.search_values import IN_MEMORY, StudyStorage
from sviT_models.quantization.weight_bank import WeightBank

DATA = Data(search_images=30, verify_images=20, calibration_images=16, fisher_images=8)
CONFIG = Config(data=DATA, quantization=Quantization(method="corrected"), search=Search(widths=(4, 8)))
SHARING = StudyStorage(shares=True)


def measured(storage):
    prepared = prepare(CONFIG, storage)
    scores = precision_study(prepared).fisher
    evaluator, network = prepared.evaluator, prepared.experiment.network
    weights = [network.bank.get(layer, 4) for layer in network.layers]
    return prepared, scores, evaluator.float_logits(network.float_design), weights


@pytest.mark.campaign
def test_what_another_worker_prepared_is_what_is_prepared_here(tmp_path, monkeypatch):
    monkeypatch.setenv("SVIT_CACHE", str(tmp_path))
    alone, first = measured(IN_MEMORY), measured(SHARING)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "graphs") == ["outputs", "scores", "weights"]
    for name in ("fisher_scores", "chaos_floor"):
        monkeypatch.setattr(sviT_models, name, lambda *given, **options: pytest.fail("made a second time"))
    monkeypatch.setattr(WeightBank, "calibration", property(lambda bank: pytest.fail("calibrated a second time")))
    second = measured(SHARING)
    for other in (first, second):
        assert other[0].chaos == alone[0].chaos
        assert other[0].phase.images == alone[0].phase.images
        assert other[0].evaluator.float.record() == alone[0].evaluator.float.record()
        pd.testing.assert_frame_equal(other[1], alone[1], check_exact=True)
        assert (other[2] == alone[2]).all()
        for mine, its in zip(other[3], alone[3], strict=True):
            assert (mine.codes == its.codes).all()
            assert (mine.shift == its.shift).all()
        assert other[0].experiment.notes == alone[0].experiment.notes
