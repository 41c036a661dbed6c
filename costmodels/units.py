"""Prefixes of units and how people spell them: for chips, configurations and commands alike."""

from __future__ import annotations

SI = {
    **{"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3},  # largest first
    **{"µ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15},
}
BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}  # of bytes
SPELLINGS = {"K": "k", "u": "µ", "μ": "µ"}  # read as; the last is the Greek letter, which keyboards have
AREAS = {"µm2": 1e-6, "mm2": 1.0, "cm2": 1e2}  # to mm2: the prefix is of the length


def factor(text: str, unit: str) -> float | None:
    """What one `text` is in `unit`: 1000 for `kB` in `B`, 1e-6 for `um2` in `mm2`; None where it is no such unit.

    text  the unit as written, with or without a prefix
    unit  a unit without prefix, or mm2
    """
    if unit == "mm2":
        text = text.replace("²", "2")
        return AREAS.get(SPELLINGS.get(text[:1], text[:1]) + text[1:])
    if not text.endswith(unit):
        return None
    prefix = text.removesuffix(unit)
    if unit == "B" and prefix in BINARY:
        return BINARY[prefix]
    return SI.get(SPELLINGS.get(prefix, prefix))
