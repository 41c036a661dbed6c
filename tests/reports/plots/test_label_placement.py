"""Names of points: each on its best side, one after the other."""

from reports.plots.description import Axis, Labels
from reports.plots.label_placement import Frame, place

FRAME = Frame(200.0, 200.0, 10.0)
UNIT = Axis(limits=(0.0, 1.0))


def sides(points, texts, obstacles=()):
    return [side.plotly for side in place(Labels(points, texts, obstacles), UNIT, UNIT, FRAME)]


def test_a_free_point_has_its_name_above_to_the_right():
    assert sides([(0.5, 0.5)], ["name"]) == ["top right"]


def test_a_name_stays_inside_the_frame():
    assert sides([(0.98, 0.98)], ["name"]) == ["bottom left"]
    assert sides([(0.02, 0.98)], ["name"]) == ["bottom right"]


def test_a_name_avoids_points_that_have_none():
    assert sides([(0.5, 0.5)], ["name"], [(0.6, 0.56)]) == ["bottom right"]


def test_names_of_close_points_do_not_cover_each_other():
    first, second = sides([(0.5, 0.5), (0.52, 0.5)], ["first", "second"])
    assert first != second


def test_another_name_is_avoided_before_the_rim_is():
    first, second = sides([(0.86, 0.5), (0.86, 0.5)], ["wide name", "wide name"])
    assert first == "top left"
    assert second == "bottom left"


def test_the_rim_is_kept_in_a_crowd_too():
    crowd = [(0.1 + step / 100, 0.5 + level / 100) for step in range(40) for level in range(-15, 16)]
    (side,) = sides([(0.1, 0.5)], ["a long name"], crowd)
    assert side.endswith("right")


def test_a_name_stands_beside_its_point_where_above_and_below_are_taken():
    rows = [(0.3 + step / 50, height) for step in range(21) for height in (0.44, 0.56)]
    assert sides([(0.5, 0.5)], ["name"], rows) == ["middle right"]


def test_a_name_leaves_its_best_place_where_another_has_no_other():
    # the first would stand above to the right, where alone the second finds room
    crowd = [(0.02 + step / 50, 0.3 + level / 60) for step in range(10) for level in range(12)]
    first, second = sides([(0.5, 0.5), (0.3, 0.5)], ["first", "a longer name"], crowd)
    assert (first, second) != ("top right", "top right")
    assert not second.endswith("left")
