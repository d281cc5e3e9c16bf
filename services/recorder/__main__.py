"""`python -m services.recorder`: run the recorder. `check`: compare files, index and hashes. `health`: ask a running one."""

import sys

from preroll.runtime.service import run
from services.recorder import service
from services.recorder.settings import RecorderSettings


def _main(arguments: list[str]) -> int:
    match arguments:
        case []:
            run(service.main)
        case ["check"]:
            from services.recorder.recovery import check

            return check.run(RecorderSettings.load_or_exit().clips_dir)
        case ["health"]:
            from services.recorder.answers import health

            return health.run(RecorderSettings.load_or_exit())
    print(f"usage: python -m services.recorder [check | health], not {' '.join(arguments)!r}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
