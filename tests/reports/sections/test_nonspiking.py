"""Beside the non-spiking network: who wins is counted from the table."""

from pathlib import Path

import pandas as pd

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


def test_a_run_without_the_table_says_how_to_get_it(tmp_path: Path):
    out = make_run(tmp_path / "run", count=12)
    assert section.record(read_run(out)) is None
    assert "comparisons.csv" in str(section.draw(None).html)
