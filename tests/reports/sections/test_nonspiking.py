"""Beside the non-spiking network: who wins is counted from the table."""

from pathlib import Path

import pandas as pd
import pytest

from reports.run import read_run
from reports.sections import s07b_nonspiking as section
from tests.reports.make_run import make_run


def test_designs_are_counted_against_the_better_of_the_two_equivalents(tmp_path: Path):
    out = make_run(tmp_path / "run", count=12)
    ids = pd.read_csv(out / "results.csv")["id"].tolist()[:3]
    energies = {  # uJ: spiking, non-spiking, dense
        ids[1]: (5, 6, 9),  # spiking wins
        ids[2]: (5, 7, 4),  # the dense network wins
    }
    rows = [{"id": ids[0], "origin": "float", "network": "spiking", "time_steps": 4, "energy_j": 9e-6}]
    names = ("spiking", "non-spiking", "non-spiking, dense")
    for each, values in energies.items():
        for name, value in zip(names, values, strict=True):
            steps = 4 if name == "spiking" else 1
            rows.append({"id": each, "origin": "dse", "network": name, "time_steps": steps, "energy_j": value * 1e-6})
    table = pd.DataFrame(rows).assign(memory_bytes=1e5, latency_s=1e-3, power_w=2e-3)
    table.to_csv(out / "comparisons.csv", index=False)
    found = section.record(read_run(out))
    assert (found.designs, found.spiking_wins) == (2, 1)
    assert [n.costs[1] for n in found.networks] == table["energy_j"].tolist()
    html = str(section.draw(found).html)
    assert "For 1 of 2 designs the spiking network needs less energy" in html
    assert "5.00 µJ" in html


def test_energies_of_both_networks_have_bands_and_the_curve_its_crossover(tmp_path: Path):
    out = make_run(tmp_path / "run", count=12)
    design = pd.read_csv(out / "results.csv")["id"][1]
    row = {"id": design, "origin": "dse", "network": "non-spiking", "time_steps": 1, "energy_j": 5e-6}
    costs = {"memory_bytes": 1e5, "latency_s": 1e-3, "power_w": None, "energy_low": 4e-6, "energy_high": 9e-6}
    spiking = {"network": "spiking", "energy_low": 3e-6}
    pd.DataFrame([row | costs, row | costs | spiking]).to_csv(out / "comparisons.csv", index=False)
    curve = pd.DataFrame({"id": design, "rate": [0.05, 0.2], "ratio": [0.5, 2.0]})
    curve.assign(crossover=0.1, own_rate=0.15, time_steps=4).to_csv(out / "crossover.csv", index=False)
    found = section.record(read_run(out))
    assert [each.energy_band for each in found.networks] == [(4e-6, 9e-6), (3e-6, 9e-6)]
    assert (found.curve.rates, found.curve.ratios) == ((0.05, 0.2), (0.5, 2.0))
    drawn = section.draw(found)
    assert "4.00 \N{MICRO SIGN}J … 9.00 \N{MICRO SIGN}J" in str(drawn.html)
    assert "Below 10.0 % firing the recommended design, T = 4, needs less energy" in str(drawn.html)
    assert "it fires at 15.0 %" in str(drawn.html)
    assert "publish 5.7 % at T = 5" in str(drawn.html)
    assert list(drawn.plots["crossover"]["data"][1]["x"]) == pytest.approx([5, 20])


def test_a_run_without_the_table_says_how_to_get_it(tmp_path: Path):
    out = make_run(tmp_path / "run", count=12)
    assert section.record(read_run(out)) is None
    assert "comparisons.csv" in str(section.draw(None).html)
