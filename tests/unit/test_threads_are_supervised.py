"""Every thread of a service is started by `preroll.runtime`: one that dies unnoticed is a service that looks alive."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
STARTERS: Final = {"Thread", "Timer", "start_new_thread"}
OWNERS: Final = {"preroll/runtime/threads.py", "preroll/runtime/watchdog.py"}


def threads_made(source: str) -> Iterator[int]:
    """The lines where a thread is made or a thread's class is named, other than as a type."""
    tree = ast.parse(source)
    types = {
        id(part)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None
        for part in ast.walk(annotation)
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="threading" | "_thread") if {*STARTERS, "*"} & {
                name.name for name in node.names
            }:
                yield node.lineno
            case ast.Import() if any(
                name.name == "_thread" or (name.name == "threading" and name.asname) for name in node.names
            ):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id="threading" | "_thread"), attr=name) if name in STARTERS:
                if id(node) not in types:
                    yield node.lineno


def made_by_file() -> dict[str, list[int]]:
    sources = [path for folder in ("preroll", "services") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    made = {path.relative_to(REPOSITORY).as_posix(): list(threads_made(path.read_text())) for path in sources}
    return {name: lines for name, lines in made.items() if lines and name not in OWNERS}


def test_threads_are_started_by_the_runtime_alone() -> None:
    assert made_by_file() == {}, "start these by preroll.runtime.threads.Threads"


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nthreading.Thread(target=print).start()",
        "from threading import Thread",
        "from threading import Timer as Later",
        "import threading as t",
        "from threading import *",
        "import _thread",
        "import threading\nclass Own(threading.Thread): ...",
        "import threading\nmake = threading.Thread",
    ],
)
def test_every_way_to_a_thread_is_found(source: str) -> None:
    assert list(threads_made(source))


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nreaders: dict[threading.Thread, int] = {}",
        "import threading\ndef start() -> threading.Thread: ...",
        "import threading\nthreading.Event()\nthreading.current_thread()",
    ],
)
def test_a_thread_as_a_type_is_none(source: str) -> None:
    assert not list(threads_made(source))
