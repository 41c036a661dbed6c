import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import binomtest
from sklearn.metrics import log_loss, top_k_accuracy_score

from sviT_models.measure import accuracy

LOGITS = np.random.default_rng(0).normal(size=(300, 5)) * 3
LABELS = np.random.default_rng(1).integers(0, 5, 300)


def sides(lost, won, images):
    """Correctness before and after with so many images that change sides."""
    before, after = np.zeros(images, bool), np.zeros(images, bool)
    before[:lost] = True
    after[lost : lost + won] = True
    return before, after


def test_top1_by_hand():
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 5.0]])
    # right, right, wrong, right: 3/4, sqrt(0.75 * 0.25 / 4)
    assert accuracy.top1(logits, np.array([0, 1, 1, 1])) == (0.75, pytest.approx(math.sqrt(0.046875)))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_topk_against_scikit_learn(k):
    expected = top_k_accuracy_score(LABELS, LOGITS, k=k, labels=range(5))
    assert accuracy.topk(LOGITS, LABELS, k) == pytest.approx(expected)


def test_nll_against_scikit_learn():
    probabilities = torch.softmax(torch.tensor(LOGITS), 1).numpy()
    assert accuracy.nll_per_image(LOGITS, LABELS).mean() == pytest.approx(log_loss(LABELS, probabilities))


def test_kl_against_torch():
    other = LOGITS + np.random.default_rng(2).normal(size=LOGITS.shape)
    p, q = (torch.log_softmax(torch.tensor(x), 1) for x in (LOGITS, other))
    expected = torch.nn.functional.kl_div(q, p, log_target=True, reduction="batchmean")
    assert accuracy.kl(LOGITS, other) == pytest.approx(float(expected))


def test_distances_of_a_network_to_itself_are_zero():
    assert accuracy.kl(LOGITS, LOGITS) == 0
    assert accuracy.logit_distance(LOGITS, LOGITS) == 0
    assert accuracy.logit_distance(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])) == 5.0  # 1 + 4


def test_per_class_counts_add_up_to_top1():
    hits, images = accuracy.per_class(LOGITS, LABELS)
    assert images.sum() == 300
    assert hits.sum() / 300 == pytest.approx(accuracy.top1(LOGITS, LABELS)[0])


def test_a_drop_by_hand():
    found = accuracy.paired_drop(*sides(lost=12, won=4, images=800))
    # (12 - 4) / 800 = 1 point; standard error sqrt(12.5 + 4.5 - 8^2 / 800) / 800 = 0.5142 points
    assert (found.lost, found.won, found.images) == (12, 4, 800)
    assert found.drop == pytest.approx(1.0)
    assert found.stderr == pytest.approx(100 * math.sqrt(17 - 0.08) / 800)


@pytest.mark.parametrize(("lost", "won", "images"), [(1, 3, 44), (12, 4, 800), (0, 5, 60)])
def test_the_ends_of_the_interval_are_where_the_score_test_just_rejects(lost, won, images):
    """The likeliest nuisance parameter is searched here on a grid instead of by the closed form."""
    for end in accuracy.tango_interval(lost, won, images):
        p_won = np.linspace(max(0.0, -end), (1 - end) / 2, 400_001)[1:-1]
        p_lost = p_won + end
        fits = lost * np.log(np.maximum(p_lost, 1e-300)) + won * np.log(p_won)
        fits += (images - lost - won) * np.log1p(-p_won - p_lost)
        best = p_won[fits.argmax()]
        variance = images * (2 * best + end - end**2)
        assert abs(lost - won - images * end) / math.sqrt(variance) == pytest.approx(1.959964, rel=1e-3)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(80, 2000))
def test_laws_of_the_interval(lost, won, images):
    low, high = accuracy.tango_interval(lost, won, images)
    assert -1 <= low <= (lost - won) / images <= high <= 1
    assert low < high  # never of zero width, even when nothing changed
    mirrored = accuracy.tango_interval(won, lost, images)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


def test_more_images_make_the_interval_narrower():
    widths = [np.ptp(accuracy.tango_interval(2 * k, k, 100 * k)) for k in (1, 4, 16, 64)]
    assert widths == sorted(widths, reverse=True)


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(5)
    p_lost, p_won, images = 0.03, 0.02, 600
    counts = rng.multinomial(images, [p_lost, p_won, 1 - p_lost - p_won], size=1500)
    inside = [low <= 0.01 <= high for low, high in (accuracy.tango_interval(b, c, images) for b, c, _ in counts)]
    assert 0.93 < np.mean(inside) < 0.97


def test_no_change_in_n_images_is_about_the_rule_of_three():
    # nothing lost in 300: the score interval ends at z^2 / (n + z^2), near the exact binomial 3/n
    low, high = accuracy.tango_interval(0, 0, 300)
    assert high == pytest.approx(1.96**2 / (300 + 1.96**2), rel=0.01)
    assert low == -high
    assert high < 2 * binomtest(0, 300).proportion_ci(method="wilson").high


@pytest.mark.parametrize(("right", "images"), [(0, 50), (50, 50), (1, 3), (397, 400), (1000, 2000)])
def test_the_interval_of_a_share_is_that_of_scipy(right, images):
    ends = binomtest(right, images).proportion_ci(method="wilson")
    assert accuracy.share_interval(right / images, images) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_the_normal_distribution_is_that_of_scipy():
    z = np.concatenate([np.linspace(-30, 30, 121), [-np.inf, np.inf, np.nan]])
    assert accuracy.normal_cdf(z) == pytest.approx(ndtr(z), rel=1e-12, abs=0, nan_ok=True)
    assert accuracy.normal_cdf(np.zeros(0)).shape == (0,)
