"""The tables of the page, one for each part. Pure."""

from bench.spread import Json

SHOWN = {
    "preroll": "Preroll, capture and recorder",
    "single_process": "single process (OpenCV, deque, VideoWriter)",
    "motion": "Motion",
}


def ranged(figure: Json, digits: int = 1) -> str:
    """The median, and the smallest and largest where they differ."""
    middle, low, high = (f"{figure[key]:.{digits}f}" for key in ("median", "min", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def camera_table(part: Json) -> str:
    """One camera: ours and the peers'."""
    subjects = part["subjects"]
    names = [name for name in SHOWN if name in subjects]
    clips = {name: subjects[name]["clips"] for name in names}
    rows = [
        ["CPU at idle, % of a core", *(ranged(subjects[name]["idle_cpu_percent"]) for name in names)],
        [
            "CPU seconds for an event, until its clip is finished",
            *(ranged(subjects[name]["event_cpu_s"]) for name in names),
        ],
        ["memory at idle, MB", *(ranged(subjects[name]["idle_pss_mb"], 0) for name in names)],
        ["memory at most during an event, MB", *(ranged(subjects[name]["event_pss_mb"], 0) for name in names)],
        ["clip finished after the window's end, s", *(ranged(subjects[name]["finished_after_s"], 2) for name in names)],
        ["codec", *(subjects[name]["codec"] for name in names)],
    ]
    for key, shown in (
        ("frames", "frames in the clip"),
        ("lost", "lost"),
        ("repeated", "twice"),
        ("outside", "outside"),
    ):
        rows.append([shown, *(_each(clips[name], key, "g") for name in names)])
    for key, shown in (
        ("begin_error_ms", "first frame after the window's begin, ms"),
        ("end_error_ms", "last frame after its end, ms"),
    ):
        rows.append([shown, *(_each(clips[name], key, ".0f") for name in names)])
    for name, by in part["long_subjects"].items():
        rows.append(
            [
                f"{SHOWN[name]}: memory with {part['long_pre_s']:g} s of pre-roll, MB",
                *(ranged(by["idle_pss_mb"], 0) if name == column else "" for column in names),
            ]
        )
    window = f"{part['pre_s']:g} s before and {part['post_s']:g} s after, {clips[names[0]][0]['expected']:.0f} frames"
    said = subjects["preroll"]
    extra = (
        f"Preroll's original is saved {ranged(said['saved_after_s'], 3)} s after the window's end, lossless; the H.264"
        f" follows. The trigger was answered in {ranged(said['answered_ms'])} ms.\n"
    )
    return table([window, *(SHOWN[name] for name in names)], rows) + "\n" + extra


def curve_table(parts: Json) -> str:
    """Cameras against CPU and memory."""
    rows = [
        [
            "with capture" if part == "limit-capture" else "recorder alone",
            str(run["cameras"]),
            *(_of_run(run, part)),
            "yes" if run["is_carried"] else f"no: {run['why']}; {afterwards(run)}",
        ]
        for part in ("limit", "limit-capture")
        for run in parts.get(part, {}).get("runs", [])
    ]
    return table(
        [
            "",
            "cameras",
            "CPU of the recorder, %",
            "of the captures, %",
            "of the feeder, %",
            "recorder, MB",
            "ring, MB",
            "camera late, ms",
            "carried",
        ],
        rows,
    )


def afterwards(run: Json) -> str:
    """What became of the recorder in a run that was too much for it."""
    if not run["is_up"]:
        return "the recorder did not outlive it"
    behind = (
        f", {run['captures_behind']} captures stated at some time that they were behind"
        if "captures_behind" in run
        else ""
    )
    return f"the recorder stays up and states {run['lost_in_all']} lost{behind}"


def _of_run(run: Json, part: str) -> list[str]:
    if "recorder_cpu_percent" not in run:
        return ["–"] * 6
    percents = run["recorder_cpu_percent"]
    return [
        f"{sum(percents) / len(percents):.1f}",
        f"{run['captures_cpu_percent']:.1f}" if part == "limit-capture" else "",
        f"{run['feeder_cpu_percent']:.0f}",
        f"{run['recorder_pss_mb']:.0f}",
        f"{run['ring_mb']:.0f}",
        f"{run.get('camera_late_ms', 0):.0f}",
    ]


def burst_table(part: Json) -> str:
    """Latencies."""
    rows = [
        [shown, *(f"{part[key][figure]:g}" for figure in ("p50_ms", "p99_ms", "max_ms", "count"))]
        for key, shown in (
            ("answered_all_cameras", "trigger of all cameras answered"),
            ("answered", "any trigger answered, encoders busy"),
            ("saved", "window's end to `saved`"),
            ("ready", "window's end to `ready`, all renditions waiting for their turn"),
        )
    ]
    facts = (
        f"{part['clips']} clips of {part['window_s']:g} s of {part['cameras']} cameras, and short ones in between:"
        f" {part['lost']} frames lost, {part['incomplete']} clips incomplete; {part['cores_busy_while_encoding']:.2f} cores"
        f" busy while encoding.\n"
    )
    return table(["ms", "p50", "p99", "slowest", "of"], rows) + "\n" + facts


def ingest_table(part: Json) -> str:
    """Frames a CPU second."""
    rows = [
        ["bare pyzmq loop: receive, append, drop the oldest", ranged(part["bare_frames_per_cpu_s"], 0)],
        ["the same, keeping the picture alone and looking at nothing", ranged(part["least_frames_per_cpu_s"], 0)],
        ["recorder", ranged(part["recorder_frames_per_cpu_s"], 0)],
        ["recorder against the bare loop", ranged(part["ratio"], 2)],
        ["recorder against the least that a loop can do", ranged(part["ratio_to_least"], 2)],
    ]
    facts = (
        "The first loop keeps each message whole, as the recorder has to: topic and header say what the picture is. All are"
        " measured in steady state, their rings having gone round at least once.\n"
    )
    return table([f"frames per CPU second, {part['cameras']} cameras", ""], rows) + "\n" + facts


def encode_table(part: Json) -> str:
    """The bare remux and the encoders."""
    rows = [["JPEG to MP4, nothing around it (the limit of `saved`)", ranged(part["remux_frames_per_s"], 0), "", ""]]
    for key, shown in (("preroll", "Preroll's H.264"), ("ffmpeg", "the ffmpeg command")):
        if key in part:
            by = part[key]
            cost = ranged(by["cpu_ms_per_frame"], 1)
            rows.append([shown, ranged(by["frames_per_s"], 1), cost, f"{by['file_mb']:g}"])
    said = table([f"{part['frames']} frames", "frames a second", "CPU ms a frame", "MB"], rows)
    if "ratio" in part:
        verb = "state the same" if part["are_settings_equal"] else "do not state the same"
        said += f"\nBoth films {verb} settings of x264, threads among them.\n"
    return said


def container_table(part: Json) -> str:
    """Start and sizes."""
    rows = [["start to the first frame in the ring, s", ranged(part["first_frame_s"], 2)]]
    rows += [[f"image {image}, MB", f"{size}"] for image, size in part["image_mb"].items()]
    rows.append(["of which the base image, MB", f"{part['base_image_mb']}"])
    return table(["", ""], rows)


def profile_table(part: Json) -> str:
    """Where the time goes."""
    subjects = {subject: shares for subject, shares in part.items() if isinstance(shares, list)}
    rows = [
        [subject, share["thread"], share["code"], f"{share['percent']:.0f}"]
        for subject, shares in subjects.items()
        for share in shares
    ]
    return table(["", "", "code of", "% of its CPU"], rows)


def path_table(part: Json) -> str:
    """Counts of the frame path."""
    rows = [
        ["Python instructions from the socket into the ring", f"{part['instructions_per_frame']:g}"],
        ["bytes held for a frame besides its JPEG", f"{part['held_bytes_per_frame']:g}"],
    ]
    return table(["a frame", ""], rows)


def _each(clips: list[Json], key: str, form: str) -> str:
    return ", ".join(f"{clip[key]:{form}}" for clip in clips)
