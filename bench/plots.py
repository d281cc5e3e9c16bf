"""The plots of the page, as SVG."""

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from bench.spread import Json

OURS: Final = "#0b6e99"
OTHERS: Final = "#b0b0b0"
LIMIT: Final = "#c2452d"
NAMES: Final = {"preroll": "Preroll", "motion": "Motion", "single_process": "single\nprocess"}


def draw(results: Json, folder: Path) -> list[Path]:
    """Draw what was measured; the files."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "preroll", "svg.fonttype": "none", "font.size": 10, "axes.grid": True})
    mpl.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    folder.mkdir(parents=True, exist_ok=True)
    parts = results["parts"]
    drawn: list[Path] = []
    if "limit" in parts or "limit-capture" in parts:
        drawn.append(_cameras(parts, results["machine"]["cores"], folder / "bench-cameras.svg"))
    if "camera" in parts:
        drawn.append(_peers(parts["camera"], folder / "bench-peers.svg"))
    if "burst" in parts:
        drawn.append(_latency(parts["burst"], folder / "bench-latency.svg"))
    return drawn


def _cameras(parts: Json, cores: int, path: Path) -> Path:
    figure, axes = _axes(1)
    plot = axes[0]
    for part, shown, colour in (("limit-capture", "captures and recorder", LIMIT), ("limit", "recorder alone", OURS)):
        found = parts.get(part)
        if found is None:
            continue
        runs = [run for run in found["runs"] if "recorder_cpu_percent" in run]
        for is_carried, marker, face in ((True, "o", colour), (False, "x", colour)):
            some = [run for run in runs if run["is_carried"] is is_carried]
            label = shown if is_carried else None
            plot.plot(
                [run["cameras"] for run in some],
                [_total_percent(run) for run in some],
                marker,
                color=face,
                label=label,
                linestyle="-" if is_carried else "",
            )
        plot.axvline(found["limit"], color=colour, linestyle=":", linewidth=1)
        more = " or more" if found["is_bounded_by_run"] else ""
        plot.annotate(
            f"{found['limit']}{more}",
            (found["limit"], 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            color=colour,
        )
    plot.axhline(100 * cores, color="black", linewidth=0.8)
    plot.annotate(f"all {cores} cores", (0, 100 * cores), va="bottom")
    plot.set_xlabel("cameras of 1080p30 (crosses: frames were lost)")
    plot.set_ylabel("CPU, % of one core")
    plot.set_xlim(left=0)
    plot.set_ylim(bottom=0)
    plot.legend(loc="lower right")
    return _save(figure, path)


def _total_percent(run: Json) -> float:
    percents = run["recorder_cpu_percent"]
    return float(sum(percents) / len(percents) + run["captures_cpu_percent"])


def _peers(part: Json, path: Path) -> Path:
    figure, axes = _axes(2)
    names = [name for name in NAMES if name in part["subjects"]]
    for plot, key, shown in (
        (axes[0], "idle_cpu_percent", "CPU at idle, % of a core"),
        (axes[1], "idle_pss_mb", f"memory with {part['pre_s']:g} s of pre-roll, MB"),
    ):
        figures = [part["subjects"][name][key] for name in names]
        middles = [figure_of["median"] for figure_of in figures]
        errors = [
            [figure_of["median"] - figure_of["min"] for figure_of in figures],
            [figure_of["max"] - figure_of["median"] for figure_of in figures],
        ]
        colours = [OURS if name == "preroll" else OTHERS for name in names]
        bars = plot.bar([NAMES[name] for name in names], middles, yerr=errors, color=colours, capsize=3)
        plot.bar_label(bars, fmt="%.1f" if key == "idle_cpu_percent" else "%.0f", padding=3)
        plot.margins(y=0.15)
        plot.set_title(shown, fontsize=10)
        plot.grid(visible=False, axis="x")
    return _save(figure, path)


def _latency(part: Json, path: Path) -> Path:
    figure, axes = _axes(1)
    plot = axes[0]
    keys = {"answered": "trigger\nanswered", "saved": "window's end\nto saved", "ready": "window's end\nto ready"}
    places = range(len(keys))
    for shift, figure_key, colour in ((-0.2, "p50_ms", OURS), (0.2, "p99_ms", LIMIT)):
        bars = plot.bar(
            [place + shift for place in places],
            [part[key][figure_key] for key in keys],
            0.38,
            color=colour,
            label=figure_key.removesuffix("_ms"),
        )
        plot.bar_label(bars, fmt="%.0f", padding=2)
    plot.set_xticks(list(places), list(keys.values()))
    plot.set_yscale("log")
    plot.set_ylabel("ms")
    plot.set_title(f"{part['cameras']} cameras of 1080p30 triggered at once", fontsize=10)
    plot.legend(loc="upper left")
    return _save(figure, path)


def _axes(count: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4), layout="constrained")
    return figure, [figure.add_subplot(1, count, number + 1) for number in range(count)]


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None})
    # matplotlib ends lines with blanks, which other tools would then change.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    return path
