"""A search over both forms: spaces, costs and measurements against each form alone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sviT_models
from costmodels import Workload, load_hardware
from costmodels.workload.examples import example_table
from dse.config.file import load_config
from dse.errors import ConfigError
from dse.evaluation.costs import Costing
from dse.evaluation.separable import additive_tables
from dse.exploration.best_design import best_under_budgets, chance_within, check_budgets, costs_of
from dse.exploration.build_problem import parts_of
from dse.optimize.integer_program import InfeasibleError
from dse.problem.build_space import build_space
from dse.problem.by_form import ByForm
from dse.problem.form_space import build_form_space, merged_columns
from dse.problem.problem import Part, Problem
from dse.strategies import guided, ilp
from dse.strategies.base.history import History, key
from dse.strategies.base.sampler import reference_point
from dse.strategies.guided import summed_harm
from dse.surrogate import Data as Measured
from dse.surrogate import fit, prior_of
from tests.dse.problems import every_design
from tests.sviT_models.small import network

FORMS = ("unfused", "fused")
NAMES = ("drop", "memory_bytes", "power_w")
CLOSE = {
    "memory_bytes": 1e-9,
    "energy_j": 1.5e-2,
}  # of tables that add up; energy: some weights are pinned, the rest stream


@cache
def tables():
    model = network()
    return {
        "unfused": sviT_models.layer_table(model, 32),
        "fused": sviT_models.layer_table(sviT_models.fuse(model), 32),
    }


@cache
def space(granularity="module"):
    options = {
        "granularity": granularity,
        "widths": (2, 4, 8),
        "other_widths": {"state": (8, 16)},
        "time_steps": (1, 2),
    }
    return build_form_space(tables(), **options)


def test_a_dimension_decides_a_layer_of_the_fused_form_and_exactly_those_that_were_fused_into_it():
    """By experiment: a layer's weights are doubled, and it is seen which fused weights change."""
    model, both = network(), space()
    fused_by = {d.name: d.layers for d in both.forms["fused"].dimensions if d.kind == "weight"}
    assert {len(layers) for layers in fused_by.values()} == {1}
    assert len(fused_by) == 70
    before = sviT_models.fuse(model).state_dict()
    tried = ("downsample2", "ConvBlock1_1", "block3.0.", "block4.1.attn.proj", "head")
    for dimension in both.dimensions:
        for layer in (name for name in dimension.layers if dimension.kind == "weight" and name.startswith(tried)):
            weight = model.get_submodule(layer).weight
            with torch.no_grad():
                weight *= 2
            after = sviT_models.fuse(model).state_dict()
            with torch.no_grad():
                weight /= 2
            changed = [n for n, v in after.items() if n.endswith(".weight") and not torch.equal(v, before[n])]
            assert changed == [f"{fused_by[dimension.name][0]}.weight"], layer
    decided = [layer for d in both.dimensions for layer in d.layers if d.kind == "weight"]
    assert sorted(decided) == sorted(sviT_models.weight_layers(model))


@pytest.mark.parametrize("granularity", ["module", "block", "stage"])
def test_the_dimensions_are_those_of_either_form_and_the_form(granularity):
    both = space(granularity)
    assert [d.kind for d in both.dimensions].count("form") == 1
    for form in FORMS:
        alone = both.forms[form]
        assert [(d.name, d.choices) for d in alone.dimensions] == [(d.name, d.choices) for d in both.dimensions]
        assert alone.layers == tuple(tables()[form].query("weights > 0")["name"])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["module", "block", "stage"]))
def test_a_point_is_the_design_of_its_form_and_comes_back(seed, granularity):
    both = space(granularity)
    levels = both.draw(np.random.default_rng(seed), 1)[0]
    form = FORMS[levels[both.names.index("form")]]
    design = both.design(levels)
    assert both.form_of(design) == form
    assert design.layers == both.forms[form].layers
    for d, value in zip(both.forms[form].dimensions, both.values(levels), strict=True):
        if d.kind == "weight":
            assert {design.weight_bits[design.layers.index(layer)] for layer in d.layers} == {value}
    assert both.levels_of(design).tolist() == levels.tolist()


def test_designs_of_a_block_have_the_ids_that_they_have_in_one_form():
    both = space("block")
    for form in FORMS:
        alone = build_space(
            tables()[form], widths=(2, 4, 8), granularity="block", other_widths={"state": (8, 16)}, time_steps=(1, 2)
        )
        levels = alone.draw(np.random.default_rng(1), 1)[0]
        together = both.with_form(np.append(levels, 0), form)
        assert both.design(together).id == alone.design(levels).id


def test_columns_of_both_forms_are_in_network_order():
    both = space()
    columns = merged_columns(both)
    assert len(columns) == len(set(columns)) == 138 + 32  # a RepConv each for q, k, v and projection of 8 blocks
    for alone in both.forms.values():
        assert [c for c in columns if c in set(alone.layers)] == list(alone.layers)
    at = columns.index("block3.0.attn.q_conv.0")
    assert columns[at - 1] == "block3.0.attn.q_conv.0.body.2.1"


def test_a_fixed_width_holds_in_both_forms_and_never_in_a_part_of_a_layer():
    fixed = {"block3.0.attn.k_conv.0": 4, "ConvBlock1_1.0.Conv.pwconv2": 8, "head": 6}
    both = build_form_space(tables(), widths=(2, 3), fixed=fixed)
    for levels in both.draw(np.random.default_rng(0), 6):
        design = both.design(levels)
        bits = dict(zip(design.layers, design.weight_bits, strict=True))
        for name, width in bits.items():
            wanted = 4 if "block3.0.attn.k_conv" in name else 6 if name == "head" else None
            wanted = 8 if name in ("ConvBlock1_1.0.Conv.dwconv", "ConvBlock1_1.0.Conv.pwconv2") else wanted
            assert width == wanted if wanted else width in (2, 3)
    part = "ConvBlock1_1.0.Conv.dwconv"
    with pytest.raises(ConfigError, match=rf"search\.fixed: '{part}' is a part of ConvBlock1_1\.0\.Conv\.pwconv2"):
        build_form_space(tables(), widths=(2, 3), fixed={part: 8})
    with pytest.raises(ConfigError, match=r"search\.fixed: no layer, group, block or stage 'heads'"):
        build_form_space(tables(), widths=(2, 3), fixed={"heads": 8})
    with pytest.raises(ConfigError, match=r"search\.granularity is 'layer'"):
        build_form_space(tables(), widths=(2, 3), granularity="layer")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "search:\n  forms: [unfused, fussed]",
            r":2: search\.forms\.1 is 'fussed'; expected 'unfused' or 'fused'",
        ),
        ("search:\n  forms: [fused, fused]", r":2: search\.forms is .* fused is listed twice"),
        ("search:\n  forms: [fused, unfused]\n  granularity: layer", r":1: search\.granularity is 'layer', but"),
        ("form: fused\nsearch:\n  forms: [unfused, fused]", r":3: search\.forms is .* leave form out"),
        ("form: unfused\nsearch:\n  forms: [fused]", r":3: search\.forms is .* leave form out"),
    ],
)
def test_mistakes_in_a_configuration_are_one_line_with_their_place(tmp_path, text, message):
    path = tmp_path / "my.yaml"
    path.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_forms_of_a_configuration(tmp_path):
    path = tmp_path / "my.yaml"
    for text, forms in (
        ("search: {forms: [fused, unfused]}", FORMS),
        ("search: {forms: [fused]}", ("fused",)),
        ("form: fused", ("fused",)),
        ("{}", ("unfused",)),
    ):
        path.write_text(text + "\n", encoding="utf-8")
        assert load_config(path).forms == forms


@cache
def example(chip="generic_45nm", rate=0.2):
    """The example network in both forms on one chip, three free stages: 3 ** 3 * 2 * 2 designs."""
    both = {form: example_table("sdtv2_8_256", rate, 4, form == "fused") for form in FORMS}
    stages = list(dict.fromkeys(both["unfused"]["stage"]))
    fixed = {stage: 8 for stage in stages if stage not in ("block3", "downsample4", "block4")}
    options = {"widths": (2, 4, 8), "granularity": "stage", "time_steps": (2, 4), "fixed": fixed}
    each = {form: Workload.from_table(table) for form, table in both.items()}
    workloads = ByForm.of(each, lambda workload: workload.weight_layers)
    return build_form_space(both, **options), Costing(workloads, load_hardware(chip), 30.0)


@pytest.mark.parametrize("chip", ["generic_45nm", "literature_45nm"])
def test_a_design_costs_what_it_costs_in_its_form_alone(chip):
    both, costing = example(chip)
    levels = every_design(both)
    spikes = np.random.default_rng(0).uniform(0, 300, (len(levels), len(costing.workload.lif_layers)))
    designs = [both.design(row) for row in levels]
    for known in (None, spikes):
        together, by_design = costing.of_levels(both, levels, known), costing.columns(designs, known)
        for i, design in enumerate(designs):
            form = both.form_of(design)
            own = replace(costing, workloads=ByForm.single(costing.workloads[form], design.layers, form))
            alone = own.columns([design], None if known is None else known[i : i + 1])
            for name, value in alone.items():
                assert together[name][i] == by_design[name][i] == pytest.approx(value[0], rel=1e-12), name


def test_tables_of_a_form_add_up_to_its_costs():
    both, costing = example()
    for levels in every_design(both):
        design = both.design(levels)
        tables, offsets = additive_tables(costing, both, design.time_steps, both.form_of(design))
        cost = costing.columns([design])
        for quantity, close in CLOSE.items():
            added = offsets[quantity] + tables[quantity][np.arange(len(levels)), levels].sum()
            assert added == pytest.approx(float(cost[quantity][0]), rel=close)


@pytest.mark.parametrize(
    ("chip", "rate", "cheaper"),
    [
        ("generic_45nm", 0.2, "unfused"),
        ("generic_45nm", 0.0005, "fused"),
        ("loihi_like", 0.05, "fused"),
        ("literature_45nm", 0.2, "fused"),
        ("generic_22nm", 0.05, "unfused"),
    ],
)
def test_fusing_costs_memory_and_its_energy_hangs_on_chip_and_spikes(chip, rate, cheaper):
    """More weights and more MACs, but accumulations of rare spikes in place of multi-bit products."""
    both, costing = example(chip, rate)
    pair = costing.of_levels(both, np.stack([both.with_form(both.sizes - 1, form) for form in FORMS]))
    assert pair["memory_bytes"][0] < pair["memory_bytes"][1]
    assert FORMS[int(pair["energy_j"].argmin())] == cheaper


def problem_with(chip="generic_45nm", rate=0.05):
    both, costing = example(chip, rate)
    tables, offsets = additive_tables(costing, both)
    scores = np.full((5, 3), np.nan)
    scores[:3] = np.array([[9.0, 1.0, 0.0], [30.0, 4.0, 0.0], [3.0, 0.3, 0.0]]) / 10
    parts = parts_of(both, costing, {"unfused": 1.3 * scores, "fused": 0.7 * scores})
    whole = Part(both, tables, offsets, scores)
    return costing, Problem(whole, costing.objective_costs(both, NAMES), NAMES, parts=parts)


def test_the_exact_pick_is_the_best_of_all_designs_of_both_forms():
    costing, problem = problem_with("literature_45nm")
    every = every_design(problem.space)
    costs = costs_of(costing, problem, every)
    form = every[:, problem.space.names.index("form")]
    # an energy that only fused designs keep
    limit = float(costs["energy_j"][form == 0].min() * 0.999)
    problem = replace(problem, budgets={"drop": 3.0, "energy_j": limit})
    harm = summed_harm(problem, every)
    few = np.full(len(every), 0.02)
    prior = prior_of(problem)
    posterior = fit(prior, Measured(every, harm, few, harm / 30, few / 10, np.full(len(every), 1e5), 0 * few))
    found = best_under_budgets(costing, problem, posterior)
    kept = (costs["energy_j"] <= limit) & (chance_within(posterior, every, 3.0) >= 0.95)
    assert kept.any()
    assert (form[kept] == 1).all()
    place = int((every == found.levels).all(axis=1).argmax())
    assert kept[place]
    assert costs["memory_bytes"][place] <= costs["memory_bytes"][kept].min() * 1.05
    with pytest.raises(InfeasibleError, match=r"budgets\.energy"):
        check_budgets(costing, replace(problem, budgets={"energy_j": float(costs["energy_j"].min() * 0.99)}))
    check_budgets(costing, replace(problem, budgets={"energy_j": float(costs["energy_j"].min() * 1.001)}))


def no_history(problem):
    none = np.zeros(0)
    levels = np.zeros((0, len(problem.space.dimensions)), dtype=np.int64)
    return History(levels, none, none, none, none, none, none, np.zeros((0, 2)), none.astype(bool), levels)


def test_separable_costs_are_the_costs():
    costing, problem = problem_with()
    every = every_design(problem.space)
    costs = costs_of(costing, problem, every)
    seen = np.zeros(len(every), dtype=int)
    for part in problem.parts:
        rows = part.holds(every)
        seen += rows
        for quantity in ("memory_bytes", "energy_j"):
            assert np.allclose(part.additive(quantity, every[rows]), costs[quantity][rows], rtol=CLOSE[quantity])
    assert (seen == 1).all()


@pytest.mark.parametrize("strategy", [guided, ilp])
def test_separable_proposals_are_best_of_their_kind_and_come_from_both_forms(strategy):
    costing, problem = problem_with("seneca_like")  # where the fused form needs less energy
    sampler, past, found = strategy.Sampler(problem, 0), no_history(problem), []
    for _ in range(8):
        found.append(sampler.propose(past, np.random.default_rng(0)))
        past = replace(past, taken=np.stack(found))
    assert len({key(row) for row in found}) == len(found)
    kind = [problem.space.names.index(name) for name in ("T", "form")]
    assert [set(column) for column in np.array(found)[:, kind].T.tolist()] == [{0, 1}, {0, 1}]
    every = every_design(problem.space)
    costs = costs_of(costing, problem, every)
    values = np.stack([summed_harm(problem, every), costs["memory_bytes"], costs["energy_j"]], axis=1)
    for row in found:
        harm, *own = values[(every == row).all(axis=1)][0]
        mine = values[(every[:, kind] == row[kind]).all(axis=1)]
        if strategy is guided:
            assert not (mine < [harm, *own]).all(axis=1).any()
        else:  # the least harm at its memory or at its energy; a programme is solved to a thousandth
            best = [mine[mine[:, 1 + i] <= cost * (1 + 1e-9), 0].min() for i, cost in enumerate(own)]
            assert harm <= max(best) * 1.002


def test_the_corner_of_the_hypervolume_is_beyond_the_widest_design_of_both_forms():
    costing, problem = problem_with()
    costs = costs_of(costing, problem, every_design(problem.space))
    corner = reference_point(problem, 10.0)
    assert corner[1] > costs["memory_bytes"].max()
    assert corner[2] > costs["power_w"].max()
