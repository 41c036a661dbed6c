"""The cells of the study: which search on which network, at which budget, with which rounding and seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any

from dse.config.schema import Config, Data, Quantization, Search

# methods without a search of their own: every run measures them as baselines
BASELINES = {"uniform": "narrowest uniform width", "guided": "guided setting, one design from scores alone"}
SEARCHED = {
    "posterior": "svit-dse",
    "guided_sweep": "gradient scores alone, many designs",
    "ridge": "ridge on the scores",
    "qsvit": "QSViT-like",
    "aq4svit_greedy": "AQ4SViT-like, greedy",
    "aq4svit_beam": "AQ4SViT-like, beam",
    "amp_greedy": "AIMET's AMP",
    "ilp": "integer program on the scores",
    "nsga2": "NSGA-II",
    "tpe": "TPE",
    "gp": "constrained GP",
    "random": "random designs",
}
NAMES = BASELINES | SEARCHED
LIMITS = {"gp": 60}  # evaluations: an ask takes seconds
FEW = ("posterior", "guided_sweep", "uniform", "qsvit", "aq4svit_beam", "amp_greedy")  # where not every method runs
MEASURED = "measured"  # the pick that the search's own measurements would make, which nothing verifies
WIDTHS = (4, 6, 8, 12, 16)
# What an ablation changes in the configuration of the default search, section by section
VARIANTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    MEASURED: ("pick by measured drops, not verified", {}),
    "gptq": ("rounding: GPTQ", {"quantization": {"method": "gptq"}}),
    "tensor": ("one scale per layer, not per channel", {"quantization": {"granularity": "tensor"}}),
    "shifts": ("scales are powers of two", {"quantization": {"scale": "power_of_two"}}),
    "one-step": ("one time step", {"search": {"time_steps": (1,)}}),
    "two-steps": ("two time steps", {"search": {"time_steps": (2,)}}),
    "states-16": ("membrane potentials of 16 bits", {"search": {"state_widths": (16,)}}),
    "states-8": ("membrane potentials of 8 bits", {"search": {"state_widths": (8,)}}),
    "streams": ("streams searched, 4 to 16 bits", {"search": {"stream_widths": WIDTHS, "between_widths": WIDTHS}}),
    "fused": ("both forms searched", {"search": {"forms": ("unfused", "fused")}}),
    "block": ("one width per block", {"search": {"granularity": "block"}}),
    "layer": ("one width per layer", {"search": {"granularity": "layer"}}),
    "wide": ("widths of 2 bits and more", {"search": {"widths": (2, 3, 4, 6, 8)}}),
    "distances": ("prior with all distances", {"search": {"prior": "both"}}),
    "500-images": ("500 images per design", {"data": {"search_images": 500}}),
    "half": ("50 designs", {"search": {"evaluations": 50}}),
}
IMAGES = {"fashion_mnist": (2000, 3000), "glyphs": (2016, 20_016), "digits": (300, 300)}  # search, verification


@dataclass(frozen=True)
class Cell:
    """One method on one network: its search, its pick, and what that pick does on images that judged nothing else.

    network: a shipped checkpoint; data: its data set; rounding: of `quantization.method`; budget [points]; evaluations:
    designs in all, baselines included; variant: of `VARIANTS`, if the search is not as usual.
    """

    network: str
    data: str
    method: str
    rounding: str = "compensated"
    budget: float = 1.0
    seed: int = 0
    evaluations: int = 100
    variant: str = ""

    @property
    def name(self) -> str:
        """Its row in the table of results and its folder."""
        ending = f"-{self.variant}" if self.variant else ""
        return f"{self.network}-{self.method}-{self.rounding}-{self.budget:g}pp-seed{self.seed}{ending}"

    @property
    def settings(self) -> dict[str, object]:
        """What makes it this cell, with what its variant changes."""
        own = {key: value for key, value in asdict(self).items() if key != "variant"}
        return own | {"variant": VARIANTS[self.variant][1]} if self.variant else own

    @property
    def run(self) -> str:
        """The folder of its search; methods without a search of their own have one in common."""
        if self.variant == MEASURED:
            return self.name.removesuffix(f"-{MEASURED}")
        if self.method not in BASELINES:
            return self.name
        return f"{self.network}-baselines-{self.rounding}-seed{self.seed}"

    @property
    def config(self) -> Config:
        """The configuration of its search."""
        search, verify = IMAGES[self.data]
        strategy = "guided" if self.method in ("guided_sweep", *BASELINES) else self.method
        prior = "auto" if self.method == "posterior" else "fisher"  # the rivals' papers know no such distances
        found: dict[str, dict[str, Any]] = {
            "data": {"name": self.data, "search_images": search, "verify_images": verify},
            "quantization": {"method": self.rounding},
            "search": {"strategy": strategy, "evaluations": self.evaluations, "seed": self.seed, "prior": prior},
        }
        for section, changes in VARIANTS[self.variant][1].items() if self.variant else ():
            found[section] |= changes
        return Config(
            checkpoint=self.network,
            data=Data(**found["data"]),
            quantization=Quantization(**found["quantization"]),
            search=Search(**found["search"]),
            budgets={"drop": self.budget},
        )


def _cells(network: str, data: str, methods: tuple[str, ...], seeds: int, **changes: object) -> Iterator[Cell]:
    for seed in range(seeds):
        for method in methods:
            count = LIMITS.get(method, 100) if method in SEARCHED else 12
            yield Cell(network, data, method, seed=seed, evaluations=count, **changes)


TINY = ("sdtv2_tiny_fashion_mnist", "fashion_mnist")
GLYPHS = ("sdtv2_tiny_glyphs", "glyphs")
SECOND = ("sdtv1_small_fashion_mnist", "fashion_mnist")  # another family
ALL = tuple(NAMES)
PARTS = {
    "core": tuple(_cells(*TINY, ALL, 5)),
    "nearest": tuple(_cells(*TINY, FEW, 3, rounding="nearest")),
    "budgets": tuple(cell for limit in (1.5, 2.1) for cell in _cells(*TINY, FEW, 3, budget=limit)),
    "glyphs": tuple(_cells(*GLYPHS, FEW, 3)),
    "glyphs-nearest": tuple(_cells(*GLYPHS, FEW, 3, rounding="nearest")),
    "ablations": tuple(Cell(*TINY, "posterior", seed=seed, variant=each) for seed in range(3) for each in VARIANTS),
    "second": tuple(_cells(*SECOND, FEW, 3)),
    "second-nearest": tuple(_cells(*SECOND, FEW, 3, rounding="nearest")),
    "small": (Cell("sdtv2_tiny_digits", "digits", "qsvit", rounding="nearest", evaluations=20),),  # half a minute
}


def cells(parts: list[str], only: str = "*") -> list[Cell]:
    """The cells of some parts whose names fit the pattern `only`, seed by seed: every prefix is a whole study."""
    found = dict.fromkeys(cell for part in parts for cell in PARTS[part] if fnmatch(cell.name, only))
    return sorted(found, key=lambda cell: cell.seed)
