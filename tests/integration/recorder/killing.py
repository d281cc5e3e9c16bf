"""A process that writes clips and is killed, for test_kill.py. Run as a module; writes what it does to stdout.

`points FOLDER COUNT`: for N from 1 on, a child writes a clip of COUNT frames under FOLDER/N and is killed before its N-th
call of the disk, until one lives to its end.
`live FOLDER COUNT`: writes one clip whose frames come in real time, and prints the number of each as it is handed over.
"""

import os
import sys
import time
from pathlib import Path

from tests.support.clips import Take, Writing
from tests.support.disks import DeadlyDisk
from tests.support.frames import frames


def points(root: Path, count: int) -> None:
    take = Take.of(frames(count))
    for number in range(1, 1_000):
        child = os.fork()
        if child == 0:
            writing = Writing(take, take.over(), root / str(number), DeadlyDisk(number))
            writing.outcome()
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


def live(root: Path, count: int) -> None:
    take = Take.of(frames(count))
    recording = take.begun(0)
    Writing(take, recording, root)
    began_ns = time.monotonic_ns()
    for frame in take.frames:
        due_ns = began_ns + frame.t_ns - take.frames[0].t_ns
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        recording.offer(frame)
        print(frame.seq, flush=True)


if __name__ == "__main__":
    {"points": points, "live": live}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
