"""Recordings of event cameras: N-MNIST's `.bin` files, AEDAT 3.1 files, and the labels of DVS128 Gesture."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sviT_models.data.events import Events
from sviT_models.errors import ModelError

MOST_BYTES = 2**30  # of a recording; the largest of DVS128 Gesture has a tenth of it
LABEL_BYTES = 2**20
MOST_CLASSES = 1000

BIN_EVENT = 5  # bytes

AEDAT_START, AEDAT_END = b"#!AER-DAT3.1", b"#!END-HEADER"
PACKET = struct.Struct("<HHIIIIII")  # type, source, size, offset of the time, overflow, capacity, number, valid
POLARITY, POLARITY_BYTES, TIME_OFFSET = 1, 8, 4
OVERFLOW_BITS = 31  # of the time in an event; the packet counts how often it has been through


def read_bin(path: Path) -> Events:
    """The events of a `.bin` file of N-MNIST: 40 bits each, big-endian: x 8, y 8, polarity 1, time [us] 23.

    Source: Orchard et al., Front. Neurosci. 9, 2015, and the description beside the data set. Raises ModelError for a
    file that ends within an event.
    """
    raw = np.frombuffer(_bytes(path, MOST_BYTES), np.uint8)
    if len(raw) % BIN_EVENT:
        raise ModelError(
            f"{path}: ends within event {len(raw) // BIN_EVENT}, {len(raw) % BIN_EVENT} of its {BIN_EVENT} bytes are "
            "there; fetch the file again"
        )
    x, y, high, middle, low = raw.reshape(-1, BIN_EVENT).T.astype(np.int64)
    return Events(x, y, (high & 0x7F) << 16 | middle << 8 | low, high >> 7)


def read_aedat(path: Path) -> Events:
    """The polarity events of an AEDAT 3.1 file that are marked valid; packets of other kinds are passed over.

    Text lines up to `#!END-HEADER`, then packets: a header of 28 bytes, little-endian, and events of 8 bytes: the data
    word (bit 0 valid, bit 1 polarity, bits 2 to 16 y, bits 17 to 31 x) and the time [us], of which the packet holds the
    bits from 31 on. Source: iniVation, "AEDAT file formats", version 3.1. Raises ModelError for anything else.
    """
    raw = _bytes(path, MOST_BYTES)
    at = _after_header(path, raw)
    number, parts = 0, [np.empty((4, 0), np.int64)]
    while at < len(raw):
        where = f"{path}: packet {number} at byte {at}"
        header = _packet_header(where, raw, at)
        at += PACKET.size
        if header.kind == POLARITY:
            parts.append(_polarity(raw, at, header))
        at += header.capacity * header.size
        number += 1
    x, y, t, p = np.concatenate(parts, axis=1)
    return Events(x, y, t, p)


@dataclass(frozen=True)
class Gesture:
    """One row of a labels file: a `label` from 1 and the times from `begin` to before `end` [us]."""

    label: int
    begin: int
    end: int


def read_labels(path: Path) -> list[Gesture]:
    """The rows of a labels file of DVS128 Gesture: columns class, startTime_usec, endTime_usec under one title line.

    Rows may overlap; some of the published ones do. Raises ModelError, naming the line, for anything else.
    """
    text = _bytes(path, LABEL_BYTES).decode("ascii", errors="replace")
    gestures = []
    for number, line in enumerate(text.splitlines(), start=1):
        if number == 1 or not line.strip():
            continue
        try:
            label, begin, end = map(int, line.split(","))
        except ValueError:
            what = "expected three whole numbers, class,startTime_usec,endTime_usec"
            raise ModelError(f"{path}: line {number} is {line[:60]!r}; {what}") from None
        if not 1 <= label <= MOST_CLASSES or not 0 <= begin < end < 2**63:
            raise ModelError(
                f"{path}: line {number} is class {label} from {begin} to {end} us; expected a class from 1 and a start "
                "before the end"
            )
        gestures.append(Gesture(label, begin, end))
    if not gestures:
        raise ModelError(f"{path}: has no rows; expected class,startTime_usec,endTime_usec")
    return gestures


@dataclass(frozen=True)
class _Packet:
    kind: int
    size: int
    overflow: int
    capacity: int
    number: int


def _bytes(path: Path, most: int) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); put the file there") from error
    if len(content) > most:
        raise ModelError(f"{path}: has more than {most} bytes, which no recording of these data sets has")
    return content


def _after_header(path: Path, raw: bytes) -> int:
    """Where the packets begin."""
    if not raw.startswith(AEDAT_START):
        begins = raw[:12].decode("ascii", errors="replace")
        raise ModelError(f"{path}: starts with {begins!r}, not with {AEDAT_START.decode()!r}; convert it to AEDAT 3.1")
    at = 0
    while raw.startswith(b"#", at):
        end = raw.find(b"\n", at)
        if end < 0:
            break
        if raw[at:end].rstrip() == AEDAT_END:
            return end + 1
        at = end + 1
    raise ModelError(f"{path}: its header has no line {AEDAT_END.decode()!r}; fetch the file again")


def _packet_header(where: str, raw: bytes, at: int) -> _Packet:
    """What a packet announces, compared with what is there."""
    if len(raw) - at < PACKET.size:
        have = f"{len(raw) - at} of the {PACKET.size} bytes of its header"
        raise ModelError(f"{where}: ends after {have}; fetch the file again")
    kind, _, size, time_offset, overflow, capacity, number, _ = PACKET.unpack_from(raw, at)
    left = len(raw) - at - PACKET.size
    if capacity * size > left:
        raise ModelError(
            f"{where}: announces {capacity} events of {size} bytes, {left} bytes are left; fetch the file again"
        )
    if number > capacity:
        raise ModelError(f"{where}: announces {number} events in the room of {capacity}; fetch the file again")
    if kind == POLARITY and (size, time_offset) != (POLARITY_BYTES, TIME_OFFSET):
        raise ModelError(
            f"{where}: has polarity events of {size} bytes with the time at byte {time_offset}; expected "
            f"{POLARITY_BYTES} and {TIME_OFFSET}"
        )
    return _Packet(kind, size, overflow, capacity, number)


def _polarity(raw: bytes, at: int, header: _Packet) -> NDArray[np.int64]:
    """x, y, t and p (4, E) of the valid events of a packet whose events begin at byte `at`."""
    words = np.frombuffer(raw, "<u4", 2 * header.number, at).reshape(-1, 2).astype(np.int64)
    data, time = words[words[:, 0] & 1 == 1].T
    return np.stack([data >> 17, data >> 2 & 0x7FFF, header.overflow << OVERFLOW_BITS | time, data >> 1 & 1])
