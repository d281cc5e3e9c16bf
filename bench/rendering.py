"""Runs Preroll's encoder once, as its worker process does: `python -m bench.rendering ORIGINAL PART PRESET QUALITY`."""

import json
import sys
import time
from pathlib import Path

from services.recorder.renditions.encoder import probe, render
from services.recorder.renditions.jobs import Encoding


def main(arguments: list[str]) -> int:
    """Encode, and say on the last line how long it took."""
    original, part, preset, quality = arguments
    encoding = Encoding("libx264", preset, int(quality), 0)
    probe(encoding)
    began_s, used_s = time.perf_counter(), time.process_time()
    render(Path(original), Path(part), encoding)
    print(json.dumps({"wall_s": time.perf_counter() - began_s, "cpu_s": time.process_time() - used_s}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
