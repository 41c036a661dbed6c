"""Folders of event cameras' files, made here byte by byte: N-MNIST, DVS128 Gesture, SpikingJelly's frames."""

from pathlib import Path

import numpy as np
import pytest

from sviT_models.data import Binning, has_test, load_data
from sviT_models.data.event_files import read_aedat, read_bin
from sviT_models.data.events import Events, binned
from sviT_models.errors import ModelError

Rows = list[tuple[int, int, int, int]]  # x, y, t, p

FIVE = ("train", "validation", "search", "verify", "test")


def some(number: int, side: int, seed: int, until: int = 300_000) -> Rows:
    rng = np.random.default_rng(seed)
    times = sorted(rng.integers(0, until, number).tolist())
    return [(*map(int, rng.integers(0, side, 2)), t, int(rng.integers(0, 2))) for t in times]


def events(rows: Rows) -> Events:
    return Events(*np.array(rows, np.int64).T)


def pairs(found: Events) -> Rows:
    return [tuple(map(int, row)) for row in zip(found.x, found.y, found.t, found.p, strict=True)]


# --- N-MNIST ---------------------------------------------------------------------------------------------------------


def bin_bytes(rows: Rows) -> bytes:
    """Every event as one number of 40 bits, the highest first."""
    return b"".join((x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big") for x, y, t, p in rows)


def test_an_event_of_n_mnist_is_five_bytes(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes([33, 2, 0x80 | 0x12, 0x34, 0x56, 0, 31, 0x7F, 0xFF, 0xFF]))
    assert pairs(read_bin(tmp_path / "a.bin")) == [(33, 2, 0x123456, 1), (0, 31, 0x7FFFFF, 0)]


def n_mnist(root: Path, train: int = 40, test: int = 3) -> dict[str, Rows]:
    """A folder of two classes; the rows of every file by its path in the folder."""
    made = {}
    for half, number in (("Train", train), ("Test", test)):
        for label in ("0", "1"):
            (root / half / label).mkdir(parents=True)
            for index in range(number):
                name = f"{half}/{label}/{index:05d}.bin"
                made[name] = some(20, 34, len(made))
                (root / name).write_bytes(bin_bytes(made[name]))
    return made


def test_the_splits_of_n_mnist_are_disjoint_and_hold_the_frames_of_their_files(tmp_path):
    made = n_mnist(tmp_path)
    assert has_test(tmp_path)
    parts = {split: load_data(tmp_path, split, binning=Binning(3, "time")) for split in FIVE}
    ids = [name for part in parts.values() for name in part.ids]
    assert sorted(ids) == sorted(made)
    assert len(parts["test"]) == 6
    assert [len(parts[split]) for split in FIVE[:4]] == [72, 1, 2, 5]  # 8 of 80 are held out, in sixths 1 : 2 : 3
    for part in parts.values():
        assert part.classes == ("0", "1")
        for image, label, name in zip(part.images, part.labels, part.ids, strict=True):
            expected = binned(events(made[name]), Binning(3, "time"), (34, 34), (34, 34), name)
            assert np.array_equal(image.numpy(), expected)
            assert part.classes[label] == name.split("/")[1]
    small = load_data(tmp_path, "search", count=1, resolution=17)
    assert small.ids == parts["search"].ids[:1]
    assert (small.images.shape, small.images.sum()) == ((1, 4, 2, 17, 17), 20)


def test_class_folders_without_halves_are_shared_out(tmp_path):
    n_mnist(tmp_path, train=7)
    root = tmp_path / "Train"
    assert not has_test(root)
    assert [len(load_data(root, split)) for split in FIVE[1:4]] == [2, 6, 6]
    with pytest.raises(ModelError, match="has no split 'train'; to train on it, give it a folder 'train' beside one"):
        load_data(root, "train")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (bin_bytes([(1, 2, 9, 1), (1, 2, 8, 1)]), "time runs backwards: event 1 is at 8 us, the one before it at 9 us"),
        (bin_bytes([(1, 2, 9, 1), (34, 2, 9, 1)]), "event 1 has x = 34; expected 0 to 33 on a sensor of 34 x 34"),
        (bin_bytes([(1, 240, 9, 1)]), "event 0 has y = 240; expected 0 to 33"),
        (bin_bytes([(1, 2, 9, 1)] * 2)[:-1], "ends within event 1, 4 of its 5 bytes are there; fetch the file again"),
        (b"", "holds no events; leave it out"),
    ],
)
def test_a_broken_file_of_n_mnist_is_named(tmp_path, content, complaint):
    n_mnist(tmp_path, train=1, test=1)
    file = tmp_path / "Test" / "1" / "00000.bin"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=complaint) as caught:
        load_data(tmp_path, "test")
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_halves_with_other_classes_and_folders_of_other_files_are_named(tmp_path):
    n_mnist(tmp_path, train=1, test=1)
    with pytest.raises(ModelError, match="2 samples are too few for a split 'search'; give at least 60"):
        load_data(tmp_path, "search")
    (tmp_path / "Test" / "2").mkdir()
    with pytest.raises(ModelError, match="class folder '2' is not in both halves; add it to the other one"):
        load_data(tmp_path, "search")
    (tmp_path / "Train" / "2").mkdir()
    (tmp_path / "Train" / "2" / "a.txt").write_text("x")
    with pytest.raises(ModelError, match=r"2: has no .bin files but a.txt; expected one kind of samples"):
        load_data(tmp_path, "search")


# --- SpikingJelly's frames -------------------------------------------------------------------------------------------


def frame_folder(root: Path, number: int = 7, shape: tuple[int, ...] = (5, 2, 8, 8)) -> dict[str, np.ndarray]:
    """Files as `integrate_events_file_to_frames_file_by_fixed_frames_number` writes them: one array `frames`."""
    made = {}
    for label in ("0", "1", "10"):
        (root / label).mkdir(parents=True)
        for index in range(number):
            name = f"{label}/user_{index}.npz"
            made[name] = np.random.default_rng(len(made)).integers(0, 300, shape).astype(np.float64)
            np.savez(root / name, frames=made[name])
    return made


def test_frame_folders_are_read_as_they_are(tmp_path):
    made = frame_folder(tmp_path)
    parts = [load_data(tmp_path, split, binning=Binning(5)) for split in FIVE[1:4]]
    assert [len(part) for part in parts] == [3, 9, 9]
    assert sorted(name for part in parts for name in part.ids) == sorted(made)
    for part in parts:
        assert (part.classes, part.frames) == (("0", "1", "10"), 5)
        for image, name in zip(part.images, part.ids, strict=True):
            assert np.array_equal(image.numpy(), made[name])


def test_the_halves_of_frame_folders_are_training_and_test(tmp_path):
    frame_folder(tmp_path / "train", 30)
    made = frame_folder(tmp_path / "test", 2)
    assert has_test(tmp_path)
    assert sorted(load_data(tmp_path, "test").ids) == [f"test/{name}" for name in sorted(made)]
    assert len(load_data(tmp_path, "train")) == 81


@pytest.mark.parametrize(
    ("arrays", "options", "complaint"),
    [
        ({"frames": np.zeros((4, 2, 8, 8))}, {}, r"'frames' is \(4, 2, 8, 8\), in .* it is \(5, 2, 8, 8\); give every"),
        ({"frames": np.zeros((4, 2, 8, 8))}, {"binning": Binning(5)}, "has 4 frames per sample, not 5; ask for 4 time"),
        ({"frames": np.zeros((5, 8, 8))}, {}, r"'frames' is float64 \(5, 8, 8\); expected numbers \(T, C, H, W\)"),
        ({"frames": np.full((5, 2, 8, 8), np.inf)}, {}, r"'frames': holds inf at \(0, 0, 0, 0\); expected finite"),
        ({"t": np.zeros(3)}, {}, r"has no array 'frames' \(it has t\); store the frames of the sample there"),
        ({"frames": np.array([None])}, {}, "holds Python objects, not numbers"),
    ],
)
def test_a_broken_file_of_frames_is_named(tmp_path, arrays, options, complaint):
    frame_folder(tmp_path)
    file = tmp_path / load_data(tmp_path, "search").ids[-1]
    np.savez(file, **arrays)
    with pytest.raises(ModelError, match=complaint) as caught:
        load_data(tmp_path, "search", **options)
    assert str(caught.value).startswith(f"{file}: ")


# --- DVS128 Gesture --------------------------------------------------------------------------------------------------


def aedat_bytes(packets: list[Rows], valid: int = 1) -> bytes:
    """AEDAT 3.1 with a packet of another kind before every packet of polarity events."""
    out = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Start-Time: 2015\r\n#!END-HEADER\r\n"
    for rows in packets:
        out += packet(0, 4, 1, b"abcd", 0)
        overflow = rows[0][2] >> 31
        words = [(x << 17 | y << 2 | p << 1 | valid, t & (1 << 31) - 1) for x, y, t, p in rows]
        out += packet(1, 8, len(rows), b"".join(w.to_bytes(4, "little") for pair in words for w in pair), overflow)
    return out


def packet(kind: int, size: int, number: int, content: bytes, overflow: int) -> bytes:
    fields = ((kind, 2), (7, 2), (size, 4), (4, 4), (overflow, 4), (number, 4), (number, 4), (number, 4))
    return b"".join(value.to_bytes(width, "little") for value, width in fields) + content


def test_packets_of_an_aedat_file_are_read_in_order_with_their_overflow(tmp_path):
    rows = some(30, 128, 0)
    late = [(x, y, t + 3 * 2**31, p) for x, y, t, p in some(9, 128, 1)]
    (tmp_path / "a.aedat").write_bytes(aedat_bytes([rows[:20], rows[20:], late]))
    assert pairs(read_aedat(tmp_path / "a.aedat")) == rows + late
    (tmp_path / "b.aedat").write_bytes(aedat_bytes([rows]) + aedat_bytes([late], valid=0).split(b"HEADER\r\n")[1])
    assert pairs(read_aedat(tmp_path / "b.aedat")) == rows


GESTURES = [(1, 0, 100_000), (3, 90_000, 200_000), (2, 200_000, 300_001)]  # the first two overlap


def dvs_gesture(root: Path, train: int = 30) -> dict[str, Rows]:
    """Recordings with three gestures each; the events of every gesture by its id."""
    made = {}
    names = {"train": [f"user{i:02d}_led" for i in range(train)], "test": ["user90_lab"]}
    for part, recordings in names.items():
        (root / f"trials_to_{part}.txt").write_text("".join(f"{name}.aedat\n" for name in recordings) + "\n")
        for name in recordings:
            rows = some(60, 128, len(made))
            (root / f"{name}.aedat").write_bytes(aedat_bytes([rows[:25], rows[25:]]))
            table = "".join(f"{label},{begin},{end}\n" for label, begin, end in GESTURES)
            (root / f"{name}_labels.csv").write_text("class,startTime_usec,endTime_usec\n" + table)
            for number, (_, begin, end) in enumerate(GESTURES):
                made[f"{name}/{number:02d}"] = [row for row in rows if begin <= row[2] < end]
    return made


def test_gestures_are_cut_out_of_their_recordings(tmp_path):
    made = dvs_gesture(tmp_path)
    assert has_test(tmp_path)
    parts = {split: load_data(tmp_path, split, binning=Binning(2)) for split in FIVE}
    assert sorted(name for part in parts.values() for name in part.ids) == sorted(made)
    assert sorted(parts["test"].ids) == ["user90_lab/00", "user90_lab/01", "user90_lab/02"]
    for part in parts.values():
        assert (part.classes, part.frames) == (("1", "2", "3"), 2)
        for image, label, name in zip(part.images, part.labels, part.ids, strict=True):
            expected = binned(events(made[name]), Binning(2), (128, 128), (128, 128), name)
            assert np.array_equal(image.numpy(), expected)
            assert label + 1 == GESTURES[int(name[-2:])][0]
    assert load_data(tmp_path, "test", resolution=32).images.shape == (3, 4, 2, 32, 32)


ONE = [(5, 6, 10, 1), (5, 6, 20, 0)]
LONG = aedat_bytes([ONE])  # a header of 61 bytes, a packet of 32, and one of 28 + 2 * 8
START = LONG.index(b"HEADER\r\n") + 8


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (LONG[:-1], "packet 1 at byte 93: announces 2 events of 8 bytes, 15 bytes are left; fetch the file again"),
        (LONG[: START + 40], "packet 1 at byte 93: ends after 8 of the 28 bytes of its header; fetch"),
        (LONG.replace(b"3.1", b"2.0"), "starts with '#!AER-DAT2.0', not with '#!AER-DAT3.1'; convert it to AEDAT 3.1"),
        (LONG[: START - 3], "its header has no line '#!END-HEADER'; fetch the file again"),
        (LONG + packet(1, 12, 0, b"", 0), "has polarity events of 12 bytes with the time at byte 4; expected 8 and 4"),
        (LONG + packet(1, 8, 2**32 - 1, b"", 0), "announces 4294967295 events of 8 bytes, 0 bytes are left"),
        (aedat_bytes([ONE, ONE]), "time runs backwards: event 2 is at 10 us, the one before it at 20 us; sort"),
        (aedat_bytes([[(128, 0, 0, 1)]]), "event 0 has x = 128; expected 0 to 127 on a sensor of 128 x 128"),
        (aedat_bytes([]), "holds no events; leave it out"),
        (LONG, "gesture 3 from 90000 to 200000 us: the recording has no events then; it runs from 10 to 20 us"),
    ],
)
def test_a_broken_recording_is_named(tmp_path, content, complaint):
    dvs_gesture(tmp_path, train=1)
    file = tmp_path / "user90_lab.aedat"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=complaint) as caught:
        load_data(tmp_path, "test")
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("user90_lab_labels.csv", "class,a,b\n1,5\n", "labels.csv: line 2 is '1,5'; expected three whole numbers"),
        (
            "user90_lab_labels.csv",
            "class,a,b\n\n1,9,9\n",
            "line 3 is class 1 from 9 to 9 us; expected a class from 1 and",
        ),
        ("user90_lab_labels.csv", "class,a,b\n0,5,9\n", "line 2 is class 0 from 5 to 9 us; expected a class from 1"),
        ("user90_lab_labels.csv", "class,a,b\n", "labels.csv: has no rows; expected class,startTime_usec"),
        (
            "trials_to_test.txt",
            "../a.aedat\n",
            r"trials_to_test.txt: names '../a.aedat', which is no .aedat file beside",
        ),
        ("trials_to_test.txt", "\n", "trials_to_test.txt: names no recordings; expected one .aedat file per line"),
    ],
)
def test_a_broken_table_is_named(tmp_path, name, text, complaint):
    dvs_gesture(tmp_path, train=1)
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=complaint):
        load_data(tmp_path, "test")


def test_a_recording_without_its_table_is_named(tmp_path):
    dvs_gesture(tmp_path, train=1)
    (tmp_path / "user90_lab_labels.csv").unlink()
    with pytest.raises(ModelError, match=r"user90_lab_labels.csv: cannot be read \(No such file"):
        load_data(tmp_path, "test")
