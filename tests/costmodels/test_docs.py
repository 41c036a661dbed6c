"""The pages on cost models say what the code does: their examples run, their tables are recomputed."""

import re
from pathlib import Path

import numpy as np
import pytest

from costmodels import (
    Candidates,
    CostError,
    Workload,
    comparisons,
    dataflows,
    datapaths,
    forms,
    hardware_names,
    load_hardware,
    published_consistency,
    stability,
)
from tests.costmodels.small import plain_text

ROOT = Path(__file__).parents[2]
MODELS = (ROOT / "docs" / "cost-models.md").read_text(encoding="utf-8")
METHODOLOGY = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys: pytest.CaptureFixture[str]):
    code = "\n".join(re.findall(r"```python\n(.*?)```", MODELS, re.S))
    assert code.count("cm.") > 10
    exec(compile(code, "docs/cost-models.md", "exec"), {})
    assert "True" in capsys.readouterr().out


def test_every_equation_of_the_code_is_in_the_page():
    code = "".join(path.read_text() for path in (ROOT / "costmodels").rglob("*.py"))
    in_code = set()
    for first, last in re.findall(r"[Ee]q\. (\d+)(?: to (\d+))?", code):
        in_code |= set(range(int(first), int(last or first) + 1))
    in_page = {int(n) for n in re.findall(r"Eq\. (\d+)", MODELS)}
    assert in_code == in_page
    assert in_page >= set(range(1, 42))


def test_every_chip_data_flow_and_datapath_is_in_the_page():
    for name in (*hardware_names(), *dataflows.names(), *datapaths.names()):
        assert f"`{name}`" in MODELS


def test_the_error_message_shown_is_the_real_one(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(plain_text().replace("value: 0.1, unit: pJ/bit", "value: 0.1, unit: furlong"))
    with pytest.raises(CostError) as error:
        load_hardware(path)
    assert f"`{error.value}`".replace(f"{tmp_path}/", "") in " ".join(MODELS.split())


def test_the_methodology_begins_with_the_limit():
    first = METHODOLOGY.split("\n\n")[1]
    assert first.startswith("**No published silicon runs SDTv2.**")


def test_the_band_of_published_energies_is_recomputed():
    for row in published_consistency().to_dict("records"):
        ratios = " | ".join(f"{row[f'ratio_{rate}']:.2f}" for rate in (0.1, 0.2, 0.3))
        said = (f"{row['published_mj']:g}", row["form"], f"{row['gmac']:.2f}", f"{row['implied_rate']:.2f}")
        assert f"| {row['model']} | {' | '.join(said)} | {ratios} |" in METHODOLOGY


def test_the_stability_table_is_recomputed():
    work, designs = Workload.example("sdtv2_8_256"), np.random.default_rng(0).choice([2, 3, 4, 6, 8], (200, 138))
    weights = work.columns["weights"][work.weight_rows]
    noise = (weights * 4.0**-designs).sum(axis=1) / weights.sum()  # stands in for the drop
    result = stability(Candidates.of(work, designs), load_hardware("generic_45nm"), drop=noise)
    assert f"The front of {len(result.front)} designs" in METHODOLOGY
    assert f"least tau {result.worst_tau:.2f}" in METHODOLOGY
    worst = result.scenarios.sort_values("tau", kind="stable").head(8)
    for row in worst.to_dict("records"):
        line = f"| `{row['constant']}` | {row['change']} | {row['tau']:.2f} | {row['front_kept']:.0%} |"
        assert line in METHODOLOGY
    rest = result.scenarios.sort_values("tau", kind="stable").iloc[8:]
    assert f"| the other {len(rest)} scenarios | | at least {rest['tau'].min():.2f} |" in METHODOLOGY
    assert f"at least {rest['front_kept'].min():.0%} |" in METHODOLOGY


def test_the_totals_of_the_examples_are_recomputed():
    for name in ("sdtv2_8_256", "sdtv2_8_384", "sdtv2_8_512", "sdtv2_8_768"):
        work, fused = Workload.example(name), Workload.example(name, fused=True)
        gmac, fused_gmac = (w.columns["macs"].sum() / 1e9 for w in (work, fused))
        neurons = f"{int(work.columns['neurons'].sum()):,}".replace(",", " ")
        assert f"| {name} | {gmac:.2f} | {fused_gmac:.2f} | {neurons} |" in METHODOLOGY


@pytest.mark.parametrize("chip", ["generic_45nm", "generic_22nm"])
def test_the_non_spiking_equivalent_needs_less_energy_as_stated(chip: str):
    table = comparisons(Workload.example("sdtv2_8_256"), load_hardware(chip), widths=(8, 4)).set_index("network")
    for width in (8, 4):
        assert table.loc[f"uniform {width} as QNN", "energy_j"] < table.loc[f"uniform {width}", "energy_j"]


def test_the_savings_by_datapath_are_recomputed():
    work = Workload.example("sdtv2_8_256")
    table = forms(Candidates.of(work, np.full((1, 138), 4)), load_hardware("generic_45nm")).set_index("form")
    for form, saved in table["energy_saving"].items():
        assert f"{100 * saved:.1f} % (`{form}`)" in " ".join(MODELS.split())
