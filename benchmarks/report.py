"""Speed and size of the report: 1000 synthetic designs of the official 138-layer network.

    python benchmarks/report.py [--designs 1000]

Times the whole of `svit-dse report` after the start of Python, imports included: page, JSON,
every figure in three formats, and the PDF.  Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])
reports = importlib.import_module("reports")
make_run = importlib.import_module("tests.reports.make_run")

LIMIT_S, LIMIT_BYTES = 15.0, 4e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1000)
    designs = parser.parse_args().designs
    with tempfile.TemporaryDirectory() as folder:
        run = make_run.make_run(Path(folder) / "run", designs)
        start, worked = time.perf_counter(), time.process_time()
        index = reports.build(run)
        wall, cpu = time.perf_counter() - start, time.process_time() - worked
        size = index.stat().st_size
        files = [p for p in index.parent.rglob("*") if p.is_file()]
    layers = 138
    print(f"{designs} designs x {layers} layers: {wall:.1f} s ({cpu:.1f} s of one core), {len(files)} files,")
    print(f"page {size / 1e6:.2f} MB; {LIMIT_S / wall:.1f} times faster than the {LIMIT_S:.0f} s it may take,")
    print(f"{LIMIT_BYTES / size:.2f} times smaller than the 4 MB that it may have")
    numbers = {"designs": designs, "layers": layers, "seconds": round(wall, 2), "cpu_seconds": round(cpu, 2)}
    print(json.dumps({"benchmark": "report", **numbers, "page_bytes": size, "files": len(files)}))


if __name__ == "__main__":
    main()
