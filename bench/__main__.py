"""Runs the benchmark: `python -m bench [--tiny] [--results FOLDER] [--docs FOLDER] [PART...]`, by default all that can run.

Parts run on the same day go into one file, so that one can be measured again. `python -m bench report` only draws anew.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import footage, machine, motion, plots, report
from bench.parts import burst, camera, container, encode, ingest, limit, path, profile
from bench.scale import FULL, TINY, Place
from bench.spread import Json

PARTS: Final[dict[str, Callable[[Place], Json]]] = {
    "path": path.measure,
    "ingest": ingest.measure,
    "encode": encode.measure,
    "camera": camera.measure,
    "burst": burst.measure,
    "limit": limit.recorder_alone,
    "limit-capture": limit.with_capture,
    "container": container.measure,
    "profile": profile.measure,
}


def main() -> int:
    """Measure, write the results, draw the page."""
    asked = _arguments()
    unknown = sorted(set(asked.parts) - {*PARTS, "report"})
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    now = datetime.now(tz=UTC)
    file = asked.results / f"{now:%Y-%m-%d}.json"
    if asked.parts == ["report"]:
        file = max(asked.results.glob("*.json"))
        results: Json = json.loads(file.read_text())
    else:
        results = json.loads(file.read_text()) if file.exists() else {"parts": {}, "not_run": {}}
        results |= {
            "date": f"{now:%Y-%m-%d}",
            "commit": machine.commit(),
            "machine": machine.described(),
            "footage": footage.described(),
        }
        asked.results.mkdir(parents=True, exist_ok=True)

        def write(results: Json) -> None:
            file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")

        place = Place(footage.ensure(), asked.work, TINY if asked.tiny else FULL)
        _measure(asked.parts or list(PARTS), place, results, write)
        write(results)
    plots.draw(results, asked.docs / "images")
    page = asked.docs / "benchmark.md"
    page.write_text(report.page(results, f"bench/results/{file.name}"))
    print(report.goals_table(results))
    print(f"{file}\n{page}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Preroll beside its limits and its peers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}, report")
    parser.add_argument("--tiny", action="store_true", help="show that it runs; the figures are worth nothing")
    parser.add_argument("--results", type=Path, default=footage.REPOSITORY / "bench" / "results")
    parser.add_argument("--docs", type=Path, default=footage.REPOSITORY / "docs")
    parser.add_argument(
        "--work", type=Path, default=None, help="where clips are written, by default a temporary folder"
    )
    return parser.parse_args()


def _measure(names: list[str], place: Place, results: Json, write: Callable[[Json], None]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="preroll-bench-", dir=place.folder))
    try:
        for name in names:
            reason = _hindrance(name)
            results["not_run"].pop(name, None)
            if reason:
                results["not_run"][name] = reason
                print(f"{name}: not run, {reason}", flush=True)
                continue
            print(f"{name} ...", flush=True)
            began_s = time.monotonic()
            try:
                found = PARTS[name](Place(place.frames, folder, place.scale))
            except Exception as err:  # the other parts are worth their minutes all the same
                results["not_run"][name] = (
                    f"failed: {type(err).__name__}: {str(err).splitlines()[0][:200] if str(err) else ''}"
                )
                traceback.print_exc()
                continue
            took_s = round(time.monotonic() - began_s, 1)
            stamp = {"measured_at": f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%SZ}", "commit": results["commit"]}
            results["parts"][name] = found | stamp | {"took_s": took_s}
            write(results)
            print(f"{name}: {took_s:.0f} s", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results["not_run"].pop("Motion", None)
    if not motion.is_installed():
        results["not_run"]["Motion"] = "not installed (Debian: apt-get install motion)"


def _hindrance(name: str) -> str:
    if name == "container" and not container.is_possible():
        return "no Docker, or the images are not built (docker compose build)"
    if name == "profile" and not profile.is_possible():
        return "no perf, or it may not be used here (kernel.perf_event_paranoid)"
    return ""


if __name__ == "__main__":
    sys.exit(main())
