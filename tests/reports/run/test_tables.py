"""Tables of a run directory as typed rows."""

from pathlib import Path

from reports.run.rows import EnergyPartRow
from reports.run.tables import read_rows


def test_names_that_look_like_numbers_stay_as_they_are_beside_empty_cells(tmp_path: Path):
    """A column of 1, 02 and nothing would be read as 1.0, 2.0 and NaN."""
    cells = "a1,fc,1,add,1e-9,2e-9\na1,0,02,add,1e-9,2e-9\na1,,,add,1e-9,2e-9\n"
    (tmp_path / "parts.csv").write_text(f"id,layer,stage,component,energy_low,energy_high\n{cells}")
    rows = read_rows(tmp_path / "parts.csv", EnergyPartRow)
    assert [(row.layer, row.stage) for row in rows] == [("fc", "1"), ("0", "02"), ("", "")]
    assert [row.energy_high for row in rows] == [2e-9] * 3
