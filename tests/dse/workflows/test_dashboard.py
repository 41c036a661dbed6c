"""What the dashboard shows of a search is what its tables say."""

import pandas as pd

from dse.workflows.dashboard import Copy, opened


def test_the_copy_of_a_search_has_its_designs_with_their_widths_and_objectives(small_run):
    copy, history = Copy(opened(small_run, None)), pd.read_csv(small_run / "history.csv")
    copy.follow()
    assert copy.study.metric_names == ["drop", "memory", "power"]
    assert [trial.user_attrs["design"] for trial in copy.study.trials] == list(history["id"])
    table = pd.read_csv(small_run / "results.csv").set_index("id")
    for trial in copy.study.trials:
        row = table.loc[trial.user_attrs["design"]]
        assert trial.values == [row["drop"], row["memory_bytes"], row["power_w"]]
        assert trial.params
