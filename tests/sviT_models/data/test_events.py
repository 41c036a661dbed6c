"""Events as frames: the rules of binning, lists of events and frames in `.npz` files, and the generated events."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sviT_models.data import Binning, event_glyphs, frames, glyphs, load_data, loader_speed, npz
from sviT_models.data.events import Events, binned, frame_ends
from sviT_models.data.imageset import SPLITS
from sviT_models.errors import ModelError

SENSOR = (5, 7)

RECORDINGS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 40), st.integers(0, 1)), min_size=1, max_size=60
)
RULES = st.builds(Binning, st.integers(1, 9), st.sampled_from(["count", "time"]))


def recording(rows: list[tuple[int, int, int, int]]) -> Events:
    return Events(*np.array(sorted(rows, key=lambda row: row[2]), np.int64).T)


def by_hand(events: Events, binning: Binning) -> np.ndarray:
    """SpikingJelly's rules `number` and `time`, event by event and in whole numbers."""
    out = np.zeros((binning.time_steps, 2, *SENSOR), int)
    number, steps = len(events.t), binning.time_steps
    span = (int(events.t[-1]) - int(events.t[0])) // steps
    for i in range(number):
        if binning.by == "count":
            each = number // steps
            frame = steps - 1 if i >= each * (steps - 1) else i // each
        else:
            frame = steps - 1
            for j in range(steps - 1):
                if events.t[0] + span * j <= events.t[i] < events.t[0] + span * (j + 1):
                    frame = j
        out[frame, events.p[i], events.y[i], events.x[i]] += 1
    return out


@given(RECORDINGS, RULES)
def test_frames_are_those_of_a_loop_over_the_events_and_none_is_lost(rows, binning):
    events = recording(rows)
    got = binned(events, binning, SENSOR, SENSOR, "x")
    assert np.array_equal(got, by_hand(events, binning))
    assert got.sum() == len(rows)


@given(RECORDINGS, RULES, st.randoms(use_true_random=False))
def test_the_order_of_events_within_a_frame_does_not_matter(rows, binning, random):
    events = recording(rows)
    ends = frame_ends(events.t, binning)
    places = []
    for begin, end in zip([0, *ends], ends, strict=False):
        part = list(range(begin, end))
        random.shuffle(part)
        places += part
    shuffled = Events(events.x[places], events.y[places], events.t, events.p[places])
    assert np.array_equal(binned(shuffled, binning, SENSOR, SENSOR, "x"), binned(events, binning, SENSOR, SENSOR, "x"))


@given(RECORDINGS, RULES)
def test_a_lower_resolution_sums_pixels_that_lie_together(rows, binning):
    events = recording(rows)
    coarse = binned(events, binning, (6, 8), (3, 4), "x")
    fine = binned(events, binning, (6, 8), (6, 8), "x")
    assert np.array_equal(coarse, fine.reshape(binning.time_steps, 2, 3, 2, 4, 2).sum(axis=(3, 5)))


def test_ten_events_in_three_frames_by_both_rules():
    t = np.array([100, 101, 102, 103, 104, 105, 106, 120, 129, 130])
    assert frame_ends(t, Binning(3, "count")).tolist() == [3, 6, 10]  # 10 // 3 each, the last has the rest
    assert frame_ends(t, Binning(3, "time")).tolist() == [7, 7, 10]  # below 110, below 120, the rest


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0,), "time_steps is 0; expected an integer of at least 1"),
        ((True,), "time_steps is True"),
        ((4, "number"), "events are binned by 'number'; expected count or time"),
    ],
)
def test_a_binning_that_cannot_be_is_refused(arguments, complaint):
    with pytest.raises(ModelError, match=complaint):
        Binning(*arguments)


def test_more_events_than_a_pixel_counts_are_refused():
    many = Events(*np.zeros((4, 70_000), np.int64))
    with pytest.raises(ModelError, match="r: a pixel has 70000 events in one frame; ask for more frames"):
        binned(many, Binning(1), SENSOR, SENSOR, "r")


# --- `.npz` files ----------------------------------------------------------------------------------------------------


def save(path: Path, **content: object) -> Path:
    np.savez_compressed(path, **content)
    return path


def lists(samples: int = 14, **changes: object) -> dict[str, object]:
    rng = np.random.default_rng(1)
    sizes = rng.integers(3, 30, samples)
    total = sizes.sum()
    times = np.concatenate([np.sort(rng.integers(0, 1000, size)) for size in sizes])
    return {
        "x": rng.integers(0, 6, total).astype(np.uint16),
        "y": rng.integers(0, 6, total).astype(np.uint16),
        "t": times.astype(np.uint32),
        "p": rng.integers(0, 2, total).astype(bool),
        "offsets": np.append(0, np.cumsum(sizes)),
        "sensor": np.array([6, 6]),
        "labels": np.arange(samples) % 2,
    } | changes


def test_lists_of_events_become_the_frames_of_each_sample(tmp_path):
    content = lists()
    path = save(tmp_path / "e.npz", **content)
    images = load_data(path, "search", binning=Binning(3, "time"))
    assert (images.images.shape, images.images.dtype, images.frames) == ((6, 3, 2, 6, 6), torch.float32, 3)
    assert images.labels.tolist() == [int(name[-6:]) % 2 for name in images.ids]
    for image, name in zip(images.images, images.ids, strict=True):
        index = int(name.removeprefix("e.npz/"))
        part = slice(content["offsets"][index], content["offsets"][index + 1])
        own = Events(*(content[key][part].astype(np.int64) for key in "xytp"))
        expected = binned(own, Binning(3, "time"), (6, 6), (6, 6), "x")
        assert np.array_equal(image.numpy(), expected)
        assert image.sum() == part.stop - part.start
    by_count = load_data(path, "search", binning=Binning(3, "count"))
    assert by_count.ids == images.ids
    assert by_count.sha256 != images.sha256
    assert load_data(path, "search").frames == Binning().time_steps
    assert load_data(path, "search", resolution=None, count=2).ids == images.ids[:2]


def stored(channels: int = 5, **changes: object) -> dict[str, object]:
    values = np.random.default_rng(0).integers(0, 9, (14, 3, channels, 8, 8), dtype=np.uint8)
    return {"images": values, "labels": np.arange(14) % 2} | changes


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_stored_frames_keep_their_channels_and_values(tmp_path, dtype):
    content = stored()
    path = save(tmp_path / "f.npz", **content | {"images": content["images"].astype(dtype)})
    images = load_data(path, "verify", binning=Binning(3))
    assert (images.images.shape, images.images.dtype) == ((6, 3, 5, 8, 8), torch.float32)
    for image, name in zip(images.images, images.ids, strict=True):
        assert np.array_equal(image.numpy(), content["images"][int(name[-6:])])
    batches = list(images.batches(4))
    assert [batch.shape for batch, _ in batches] == [(4, 3, 5, 8, 8), (2, 3, 5, 8, 8)]


def test_many_frames_stay_counts_and_give_the_same_batches(tmp_path, monkeypatch):
    path = save(tmp_path / "f.npz", **stored())
    whole = load_data(path, "search")
    monkeypatch.setattr(frames, "NORMALISED_BYTES", 100)
    kept = load_data(path, "search")
    assert isinstance(kept.images, frames.FrameImages)
    assert (kept.sha256, kept.frames, len(kept.images)) == (whole.sha256, 3, 6)
    assert torch.equal(torch.cat([batch for batch, _ in kept.batches(4)]), whole.images)
    for chosen in (slice(1, 3), torch.tensor([4, 0, 4])):
        assert torch.equal(kept.images[chosen], whole.images[chosen])
    assert loader_speed(kept, 4) > 0


def swapped(values: np.ndarray, one: int) -> np.ndarray:
    values = values.astype(np.int64)
    values[one] = values[one - 1] - 1
    return values


def replaced(values: np.ndarray, place: int, value: int) -> np.ndarray:
    values = values.astype(np.int64)
    values[place] = value
    return values


EVENTS = lists()
STARTS = EVENTS["offsets"]


@pytest.mark.parametrize(
    ("content", "options", "complaint"),
    [
        (lists(t=swapped(EVENTS["t"], STARTS[0] + 2)), {}, r"sample 0: time runs backwards: event 2 is at \d+ us, the"),
        (
            lists(x=replaced(EVENTS["x"], STARTS[3] + 1, 6)),
            {},
            "sample 3: event 1 has x = 6; expected 0 to 5 on",
        ),
        (lists(y=replaced(EVENTS["y"], STARTS[3], -1)), {}, "sample 3: event 0 has y = -1; expected 0 to 5"),
        (lists(p=replaced(EVENTS["p"], STARTS[5], 2)), {}, r"sample 5: event 0 has p = 2; expected 0 \(OFF\) or 1"),
        (lists(p=EVENTS["p"][1:]), {}, r"'p' has \d+ events, 't' has \d+; store as many"),
        (
            lists(offsets=STARTS[:-1], labels=np.zeros(13, int)),
            {},
            "'offsets' must rise from 0 to the number of",
        ),
        (lists(offsets=replaced(STARTS, 4, STARTS[3])), {}, "sample 3: holds no events; leave it out"),
        (lists(t=EVENTS["t"].astype(float)), {}, r"'t' is float64 \(\d+,\); expected whole numbers in one dimension"),
        (lists(sensor=np.array([6])), {}, r"'sensor' is \[6\]; expected its height and width in pixels"),
        (lists(sensor=np.array([6, 8])), {}, "the sensor has 6 x 8 pixels; name a resolution, the side of a square"),
        (lists(), {"resolution": 8}, "resolution 8 is above the sensor's 6 x 6; ask for less"),
        (
            {k: v for k, v in lists().items() if k != "y"},
            {},
            "has 'offsets' but no 'y'; lists of events are x, y",
        ),
        ({k: v for k, v in lists().items() if k != "labels"}, {}, "has no array 'labels'"),
        (stored(), {"binning": Binning(4)}, "has 3 frames per sample, not 4; ask for 3 time steps"),
        (stored(), {"resolution": 16}, "frames are 8 x 8 pixels, not 16; store them at that size"),
        (stored(images=np.zeros((14, 3, 2, 8, 9))), {}, "frames are 8 x 9 pixels, not square"),
        (stored(images=np.full((14, 3, 2, 8, 8), -1)), {}, r"'images': holds -1 at \(0, 0, 0, 0, 0\); expected finite"),
        (stored(images=np.full((14, 3, 2, 8, 8), np.nan)), {}, r"'images': holds nan at \(0, 0, 0, 0, 0\)"),
        (stored(images=np.full((14, 3, 2, 8, 8), 1e300)), {}, r"'images': holds 1e\+300 at"),
        (stored(images=np.zeros((14, 0, 2, 8, 8))), {}, r"'images' is float64 \(14, 0, 2, 8, 8\); expected numbers"),
        (stored(labels=np.zeros(13, int)), {}, "'labels' is int64"),
    ],
)
def test_broken_event_data_are_named_on_one_line(tmp_path, content, options, complaint):
    path = save(tmp_path / "x.npz", **content)
    with pytest.raises(ModelError, match=complaint) as caught:
        [load_data(path, split, **options) for split in SPLITS[1:]]
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_frames_beyond_the_memory_are_refused_before_they_are_made(tmp_path):
    path = save(tmp_path / "x.npz", **lists(sensor=np.array([32768, 32768])))
    with pytest.raises(ModelError, match=r"x.npz: frames \(6, 4, 2, 32768, 32768\) take 96.0 GiB; ask for fewer"):
        load_data(path, "search")


def archive(path: Path, header: bytes, values: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", header + values)
    return path


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": dtype, "fortran_order": False, "shape": shape})
    return written.getvalue()


def test_names_in_an_archive_never_lead_out_of_it(tmp_path):
    """They are read as names of arrays, and no file is made."""
    path, names = tmp_path / "data" / "d.npz", ("../images", "/etc/images", "..\\images", "a/../../images")
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as content:
        for name in names:
            content.writestr(f"{name}.npy", header((3,)) + bytes([1, 2, 3]))
    before = sorted(tmp_path.rglob("*"))
    assert {name: values.tolist() for name, values in npz.read(path).items()} == {name: [1, 2, 3] for name in names}
    with pytest.raises(ModelError, match=r"d\.npz"):
        load_data(path, "search")
    assert sorted(tmp_path.rglob("*")) == before == [path.parent, path]


def test_an_archive_is_not_unpacked_beyond_what_it_may_hold(tmp_path):
    bomb = archive(tmp_path / "b.npz", header((2**24,)), bytes(2**24))
    assert bomb.stat().st_size < 2**15
    with pytest.raises(ModelError, match=r"b.npz: announces 16777\d+ bytes of arrays; at most 1048576 are read"):
        npz.read(bomb, 2**20)
    large = tmp_path / "g.npz"
    with zipfile.ZipFile(large, "w") as content:
        content.writestr("images.npy", header((2**33 - 128,), "|u1"))
        content.filelist[0].file_size = 2**33  # as a file of 8 MB of zeros, packed, would announce it
    with pytest.raises(ModelError, match=r"g.npz: announces 8589934592 bytes of arrays; at most 268435456 are read"):
        npz.read(large)
    held = large.read_bytes()
    with large.open("wb") as file:  # an archive is read from its end, so that anything may stand before it
        file.seek(86 * 10**6)
        file.write(held)
    with pytest.raises(ModelError, match=r"g.npz: announces 8589934592 bytes of arrays; at most 2147483648 are read"):
        npz.read(large)
    lying = archive(tmp_path / "l.npz", header((2**40,)), bytes(100))
    with pytest.raises(ModelError, match=r"announces \(1099511627776,\) of uint8, which is not what it holds"):
        npz.read(lying)
    objects = archive(tmp_path / "o.npz", header((1,), "|O"), b"cposix\nsystem\n")
    with pytest.raises(ModelError, match="holds Python objects, not numbers"):
        npz.read(objects)
    good = archive(tmp_path / "g.npz", header((2, 3), ">i2"), bytes(range(12)))
    assert npz.read(good)["images"].tolist() == [[1, 515, 1029], [1543, 2057, 2571]]
    damaged = bytearray(good.read_bytes())
    damaged[damaged.index(b"images.npy") + 40] ^= 255
    (tmp_path / "d.npz").write_bytes(damaged)
    with pytest.raises(ModelError, match=r"d.npz: cannot be read as .npz \(.*\); save it again"):
        npz.read(tmp_path / "d.npz")


def test_what_a_file_may_hold_grows_with_it_and_is_never_more_than_stated():
    mib = 2**20
    found = [npz.allowed(size * mib) // mib for size in (0, 1, 2, 3, 10, 21, 86, 200, 300, 820, 10_000)]
    assert found == [256, 256, 256, 300, 1000, 2048, 2048, 2048, 3000, 8192, 8192]


@given(st.sampled_from(["<f4", ">u2", "|b1", "<U3"]), st.lists(st.integers(0, 4), max_size=3), st.booleans())
@settings(max_examples=30)
def test_arrays_come_back_as_numpy_reads_them(tmp_path_factory, dtype, shape, by_columns):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    np.savez_compressed(path, a=np.asfortranarray(values) if by_columns else values)
    with np.load(path) as expected:
        assert np.array_equal(npz.read(path)["a"], expected["a"])


# --- event_glyphs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_event_glyphs_have_the_splits_of_glyphs_and_repeat(split):
    images, again = (load_data("event_glyphs", split, count=40, seed=3, binning=Binning(5)) for _ in range(2))
    assert (images.images.shape, images.images.dtype, images.frames) == ((40, 5, 2, 32, 32), torch.float32, 5)
    assert images.classes == tuple(glyphs.CLASSES)
    assert images.labels.tolist() == [index % 36 for index in range(40)]
    assert images.ids[39] == f"event_glyphs/3/{split}/000039"
    assert torch.equal(images.images, again.images)
    assert images.sha256 == again.sha256
    assert load_data("event_glyphs", split, count=41, seed=3, binning=Binning(5)).images[:40].equal(images.images)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 3), st.sampled_from(SPLITS), st.integers(0, 5000), st.integers(1, 5), st.integers(0, 4))
def test_an_event_glyph_depends_on_seed_split_and_index_alone(seed, split, begin, number, pick):
    several = event_glyphs.draw(seed, split, begin, begin + number)
    pick %= number
    alone = event_glyphs.draw(seed, split, begin + pick, begin + pick + 1)
    assert np.array_equal(several[pick], alone[0])
    assert not np.array_equal(event_glyphs.draw(seed + 1, split, begin, begin + 1)[0], several[0])


def test_every_binning_of_an_event_glyph_has_all_of_its_events():
    for fired in event_glyphs.draw(0, "search", 0, 8):
        events = event_glyphs.events_of(fired)
        assert len(events) == fired.sum()
        assert (np.diff(events.t) >= 0).all()
        assert events.t[-1] <= 300_000  # three saccades of 100 ms
        for by in ("count", "time"):
            binning = Binning(6, by)
            got = event_glyphs.sample_frames(fired, binning)
            assert got.sum() == fired.sum()
            assert np.array_equal(got.sum(axis=0), fired.sum(axis=0, dtype=int))
    assert event_glyphs.sample_frames(np.zeros_like(fired), Binning(6)).sum() == 0


def test_pixels_fire_when_their_log_intensity_has_moved_by_the_threshold():
    """A row of pixels, followed by hand: pixel j sees the half pixels 2 + 2 j + position and the next one."""
    drawn = np.zeros((1, 12, 12), np.int32)
    drawn[0, :, 5:7] = 256  # a bright bar, two half pixels wide
    path = np.zeros((1, 4, 2), np.int64)
    path[0, :, 1] = [0, 1, 2, 0]  # the row sees 0 100 100 0, 0 200 0 0, 100 100 0 0, 0 100 100 0
    level = event_glyphs._log_intensity(drawn, np.array([200], np.int32))
    fired = event_glyphs._fired(level, path, np.array([60], np.int32), 4)[0, :, :, 0]  # (step, OFF or ON, column)
    assert fired[0].tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]  # 100 up and 100 down are one threshold of 60 each
    assert fired[1].tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]  # from 160 to 100 is one; from 40 to 0 is none
    assert fired[2].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]  # from 60 to 0, and from 40 to 100


def test_the_characters_of_event_glyphs_can_be_told_apart_by_their_events():
    """The nearest mean of a class is right five times as often as by chance, 1 in 36."""
    number = 36 * 15
    known, asked = (load_data("event_glyphs", split, count=number).images.sum((1, 2)) for split in ("train", "search"))
    means = torch.stack([known.clamp(max=4).flatten(1)[label::36].mean(0) for label in range(36)])
    found = torch.cdist(asked.clamp(max=4).flatten(1), means).argmin(1)
    assert (found == torch.arange(number) % 36).float().mean() > 5 / 36
