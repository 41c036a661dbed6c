"""A design measured in full, and images that stay on disk."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import sviT_models
from dse.config.schema import Config, Data, Search
from dse.errors import ConfigError
from dse.evaluation.evaluator import Evaluator, Subject
from dse.evaluation.measurement import from_record
from dse.evaluation.sample_size import needed_images
from dse.problem.by_form import ByForm
from dse.problem.design import uniform
from dse.results.run import open_run
from dse.workflows.check import checkup, count_text
from dse.workflows.evaluate import evaluated, uniform_design
from sviT_models.data.folder import load as load_folder


@pytest.fixture(scope="module")
def measured():
    experiment, design = uniform_design(Config(), 3)
    return experiment, design, evaluated(experiment, design, "verify", 80)


def test_what_is_measured_is_what_the_network_does(measured):
    experiment, design, found = measured
    images = sviT_models.load_data("digits", "verify", count=80)
    out = sviT_models.fake_quantized_run(
        experiment.network.model, experiment.network.bank, images.images, design.weight_bits
    )
    labels = images.labels.numpy()
    guess = out.logits.argmax(1)
    assert found.evaluation.top1 == pytest.approx((guess == labels).mean())
    ranks = (out.logits > out.logits[np.arange(80), labels][:, None]).sum(1)
    assert found.evaluation.top5 == pytest.approx((ranks < 5).mean())
    by_class = [int(((guess == labels) & (labels == c)).sum()) for c in range(10)]
    assert found.classes["right:design"].tolist() == by_class
    assert found.classes["images"].tolist() == np.bincount(labels, minlength=10).tolist()
    assert sum(found.evaluation.right) == round(found.evaluation.top1 * 80)


def test_firing_rates_agree_with_the_spike_counts(measured):
    experiment, _, found = measured
    counts = dict(zip(experiment.network.lif_layers, found.evaluation.spikes, strict=True))
    health = found.health.set_index("name")
    # the health sample is other images of the same data: rates are those of the counts up to sampling
    rates = np.array([counts[name] / (health.loc[name, "neurons"] * 2) for name in health.index])
    assert np.corrcoef(rates, health["rate"])[0, 1] > 0.99
    assert np.allclose(health["rate"], health[["rate_1", "rate_2"]].mean(axis=1))
    assert np.allclose(health["rate"] / health["float_rate"] - 1, health["rate_change"], equal_nan=True)
    assert health[["dead", "saturated"]].to_numpy().min() >= 0


def test_the_summary_and_the_record_say_the_same(measured):
    _, _, found = measured
    rows = {row["what"]: row for row in found.summary()}
    assert rows["top-1"]["design"].startswith(f"{found.evaluation.top1:.2%} (")
    assert f"{found.evaluation.drop:+.2f} pp" in rows["drop"]["design"]
    record = found.record()
    assert from_record(record["design"]) == found.evaluation
    assert len(record["health"]) == 77
    assert len(record["classes"]) == 10


def test_a_width_that_does_not_exist():
    with pytest.raises(ConfigError, match="--bits 9: no such width; choose from 1, 2, 3"):
        uniform_design(Config(), 9)


def test_a_design_of_something_that_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.yaml: no such file"):
        open_run(tmp_path)


class Counting:
    """Logits that say how bright an image is; remembers how many images came at once."""

    def __init__(self):
        self.sizes = []

    def run(self, images, weight_bits, *, time_steps=None, batch_size=None):
        self.sizes.append(len(images))
        bright = images.mean((1, 2, 3)).numpy()
        return SimpleNamespace(logits=np.stack([bright, -bright], 1), spikes=np.full((1, 1), len(images)))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (tmp_path / label).mkdir()
        for i in range(28):
            low = 128 * (label == "light")
            pixels = rng.integers(low, low + 128, (40, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{i:02d}.png")
    return tmp_path


def test_images_on_disk_give_what_images_in_memory_give_and_are_never_loaded_at_once(folder):
    on_disk = load_folder(folder, "search", None, 0, 32, 0.0, memory=0)
    in_memory = load_folder(folder, "search", None, 0, 32, 0.0, memory=2**30)
    reference = uniform(("a",), 32, 1)
    runners = Counting(), Counting()
    made = [
        Evaluator(ByForm.single(Subject(runner, reference), reference.layers), part.images, part.labels, batch_size=2)
        for runner, part in zip(runners, (on_disk, in_memory), strict=True)
    ]
    assert made[0].float == made[1].float
    assert len(on_disk) == 24
    assert runners[0].sizes == [8, 8, 8]
    assert runners[1].sizes == [24]
    raced = made[0](uniform(("a",), 4, 1), cut=lambda partial: partial.images >= 6)
    assert raced.images == 6
    assert not raced.complete


def test_a_small_number_of_designs_is_written_out():
    assert [count_text(np.log10(n)) for n in (1, 243, 3**12)] == ["1", "243", "531,441"]
    assert count_text(27.8) == "10^28"


@pytest.mark.campaign
def test_a_check_says_what_a_guarantee_takes():
    config = Config(
        data=Data(search_images=60, verify_images=50),
        search=Search(evaluations=10, widths=(4, 8)),
        budgets={"drop": 2.0},
    )
    rows = checkup(config)
    images = sviT_models.load_data("digits", "search", count=60)
    model = sviT_models.open_checkpoint("sdtv2_tiny_digits").model
    chaos = sviT_models.chaos_floor(model, images.images, images.labels, seed=0)
    needed = needed_images(chaos.changed, 2.0, images=60)
    assert f"drop <= 2 pp at 95 % takes {needed:,} unseen images; there are 50" in rows["a guarantee"]
    # 74 groups of two widths, T in {1, 2} and 11 stages of three state widths: 75 log10(2) + 11 log10(3) = 27.8
    assert rows["design space"] == "86 choices, 10^28 designs"
