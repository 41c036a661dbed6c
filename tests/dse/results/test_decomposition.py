"""What parts of a design contribute, on the toy with its brute-force answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from dse.exploration.best_design import chance_within
from dse.problem.goals import CONFIDENCE
from dse.results.decomposition import anchors, changes, decomposition, verdict
from dse.strategies.base.history import measurements, read
from dse.surrogate import belief
from tests.dse.exploration.test_loop import ToyCosting, ToyRunner, loop, open_study
from tests.dse.toy import toy_problem


class Costs:
    """The toy's costs as `costs_of` asks for them."""

    def of_levels(self, space, levels):
        memory, power = ToyCosting.values(space.weight_bits(levels))
        return {"memory_bytes": memory, "energy_j": power / 30}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    problem = toy_problem({"drop": 12.0})
    study = open_study(tmp_path_factory.mktemp("toy"), {"data": "digits"})
    loop(ToyRunner(), "guided", problem).run(study, 20)
    return problem, belief(problem, measurements(read(study, problem)))


def test_parts_are_compared_between_designs_that_keep_the_budget(searched):
    problem, model = searched
    every = np.array([*np.ndindex(3, 3, 3)])
    kept = every[chance_within(model, every, 12.0) >= CONFIDENCE]
    chosen = kept[problem.costs(kept)[:, 0].argmin()]
    found = anchors(problem, model, every, chosen)
    assert found.searched.tolist() == chosen.tolist()  # the lightest of all designs, which are given as measured
    # of the three uniform widths the narrowest that keeps the budget; the scores' own front is that of the true harms
    uniform = kept[(kept == kept[:, :1]).all(axis=1)]
    assert found.uniform.tolist() == uniform[problem.costs(uniform)[:, 0].argmin()].tolist()
    assert problem.costs(found.scores[None])[0, 0] >= problem.costs(chosen[None])[0, 0]
    table = decomposition(Costs(), problem, model, found)
    assert table["part"].tolist() == ["widths from scores", "all widths", "search over scores"]  # nothing else varies
    first, last = problem.costs(np.stack([found.uniform, chosen]))[:, 0]
    widths = table.set_index("part").loc["all widths"]
    assert (widths["memory_before"], widths["memory_after"]) == (pytest.approx(first), pytest.approx(last))
    assert widths["drop_after"] == pytest.approx(model.predict(chosen[None])[0][0])
    saved = 1 - last / problem.costs(found.scores[None])[0, 0]
    assert verdict(table).startswith(f"the search saves {saved:.1%} of memory")
    assert ("`search.strategy: guided` is enough" in verdict(table)) == (saved < 0.03)
    worse = table.assign(memory_after=1.25 * table["memory_before"])
    assert verdict(worse).startswith(
        "the search's design takes 25.0% more memory than the widths that the scores alone"
    )
    assert verdict(worse).endswith("is enough")


def test_a_part_is_added_to_the_uniform_width_and_taken_out_of_the_pick():
    kinds = ("weight", "weight", "time_steps", "state")
    space = SimpleNamespace(dimensions=[SimpleNamespace(kind=k) for k in kinds], sizes=np.array([3, 3, 2, 2]))
    found = SimpleNamespace(
        uniform=np.array([1, 1, 1, 1]), scores=None, searched=np.array([0, 2, 0, 0]), chosen=np.array([0, 2, 0, 1])
    )
    told = [(c.part, c.how, c.before.tolist(), c.after.tolist()) for c in changes(SimpleNamespace(space=space), found)]
    assert told == [
        ("all widths", "last", [1, 1, 0, 1], [0, 2, 0, 1]),
        ("verification", "last", [0, 2, 0, 0], [0, 2, 0, 1]),
        ("time steps", "alone", [1, 1, 1, 1], [1, 1, 0, 1]),
        ("time steps", "last", [0, 2, 1, 1], [0, 2, 0, 1]),
    ]  # potentials are at their widest in the pick
