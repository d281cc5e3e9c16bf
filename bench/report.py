"""The page `docs/benchmark.md`, every figure of it out of the results. Pure."""

from bench.goals import evaluate
from bench.spread import Json
from bench.tables import (
    burst_table,
    camera_table,
    container_table,
    curve_table,
    encode_table,
    ingest_table,
    path_table,
    profile_table,
)

_WORD = {True: "**met**", False: "**not met**", None: "–"}
_INTRODUCTION = """\
# Benchmark

Made by `make bench` from [`{file}`](../{file}); nothing in it is written by hand. Everything is fed with the same
{frames} JPEGs of {width}×{height} (from {source}; {kib:.0f} KiB each, {fps} a second), made before, by a process that
only sends bytes. Each frame carries its number in its picture; frames lost, repeated or outside the window are counted
from the numbers in the clips. CPU and memory are those of all processes of a subject, by the kernel's accounting
(its CPU clocks, with the time of ended children; PSS). 100 % is one core. The feeder runs on the same cores and is not
counted.

{machine}

Measured on {date}, {commits}.
"""
_LIMIT_NOTE = """\
One camera is triggered in each run. A count is carried when no frame of any camera is lost, by the recorder's counters,
by what arrived, and by the numbers in the clip's pictures; it is doubled until one is not, then halved in between to an
eighth. A count that loses less than 1 % is tried twice. The feeder has the same cores and its share is stated: with the
recorder alone it takes a good part of what there is at the limit, so a recorder fed by other machines would carry more.
Frames sent half a second late fail a count by themselves, with captures because those no longer come to their turn to
take them. What is stated as lost past the limit is of the whole run, the filling of the rings included. A camera that
leaves frames out because nobody takes them does not number them: nobody behind it can count those, and a clip that
lacks them is complete as far as can be known. What can be known is that pictures waited, and the capture states it. So
do captures that all start at once, of counts that are carried, too: the number of those that did is no measure of loss.
"""


def page(results: Json, file: str) -> str:
    """The whole page, of the results in `file`."""
    parts = results["parts"]
    blocks = [_introduction(results, file), "## Goals\n", goals_table(results)]
    if "limit" in parts or "limit-capture" in parts:
        blocks += [
            "## What a camera costs, and where the limit is\n",
            "![CPU by number of cameras](images/bench-cameras.svg)\n",
            curve_table(parts),
            _LIMIT_NOTE,
        ]
    if "camera" in parts:
        blocks += [
            "## One camera, beside others\n",
            "![CPU and memory of one camera](images/bench-peers.svg)\n",
            camera_table(parts["camera"]),
        ]
    if "burst" in parts:
        blocks += [
            "## All cameras triggered at once\n",
            "![Latencies](images/bench-latency.svg)\n",
            burst_table(parts["burst"]),
        ]
    for name, title, table in (
        ("ingest", "Receiving, against the limit", ingest_table),
        ("encode", "Writing and encoding", encode_table),
        ("container", "Containers", container_table),
        ("path", "A frame's way into the ring, in counts", path_table),
        ("profile", "Where the time goes, by perf's samples", profile_table),
    ):
        if name in parts:
            blocks += [f"## {title}\n", table(parts[name])]
    if results["not_run"]:
        blocks += ["## Not run\n", "\n".join(f"- {name}: {why}" for name, why in results["not_run"].items()) + "\n"]
    return "\n".join(blocks)


def goals_table(results: Json) -> str:
    """The goals, met or not."""
    rows = ["| goal | wanted | measured | |", "|---|---|---|---|"]
    measured = results["parts"] | {"machine_cores": results["machine"]["cores"]}
    rows += [f"| {goal.name} | {goal.wanted} | {goal.measured} | {_WORD[goal.is_met]} |" for goal in evaluate(measured)]
    return "\n".join(rows) + "\n"


def _introduction(results: Json, file: str) -> str:
    machine, footage = results["machine"], results["footage"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    described = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB; {machine['system']},"
        f" Linux {machine['kernel']}; Python {machine['python']}; {versions}."
    )
    return _INTRODUCTION.format(
        file=file,
        frames=footage["frames"],
        width=footage["width"],
        height=footage["height"],
        source=footage["from"],
        kib=footage["mean_bytes"] / 1024,
        fps=footage["fps"],
        machine=described,
        date=results["date"],
        commits=_commits(results),
    )


def _commits(results: Json) -> str:
    """The commit, and where parts were measured at others, which at which."""
    parts_of: dict[str, list[str]] = {}
    for name, part in results["parts"].items():
        parts_of.setdefault(part.get("commit", results["commit"]), []).append(name)
    if len(parts_of) < 2:
        return f"commit {results['commit']}"
    return "; ".join(f"commit {commit}: {', '.join(sorted(names))}" for commit, names in parts_of.items())
