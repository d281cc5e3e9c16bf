// What each clip of an event is, what it lacks, and its files.

import { chip, make } from "./dom.js";
import { bytes, counted, offset, plain, toUs } from "./time.js";

const KIND_WORDS = { clip: "MP4", original: "Original", poster: "Trigger frame", sidecar: "Facts" };

export function clipRows(event, unplayed) {
  const triggeredUs = toUs(event.triggered_at);
  return event.clips.map((clip) =>
    make("section", { class: "clip", "data-camera": clip.camera_id, "aria-label": `Clip of ${clip.camera_id}` },
      make("div", { class: "clip-head" },
        make("h3", { text: clip.camera_id }),
        chip(clip.state),
        clip.complete === false && clip.state !== "failed" ? chip("incomplete", "incomplete") : null,
        clip.complete === true ? make("span", { class: "quiet small", text: "complete" }) : null),
      make("p", { class: "small", text: deliveredWords(clip, triggeredUs) }),
      clip.shortfall?.length ? make("ul", { class: "shortfall small" }, ...clip.shortfall.map((text) => make("li", { text }))) : null,
      make("p", { class: "row files" }, ...filesOf(clip, unplayed.has(clip.camera_id))),
      digestOf(clip)),
  );
}

function deliveredWords(clip, triggeredUs) {
  const { delivered } = clip;
  if (!delivered || !delivered.frames) return stillWords(clip);
  const from = offset((toUs(delivered.from) - triggeredUs) / 1e6);
  const to = offset((toUs(delivered.to) - triggeredUs) / 1e6);
  const lost = delivered.lost ? `, ${counted(delivered.lost, "frame")} lost` : ", none lost";
  const latency = clip.saved_after_s === null || clip.saved_after_s === undefined ? "" : `. Saved ${plain(clip.saved_after_s, 2)} s after its end`;
  return `${counted(delivered.frames, "frame")} from ${from} to ${to}${lost}${latency}`;
}

function stillWords(clip) {
  const words = { scheduled: "Starts at its time.", recording: "Being recorded.", failed: "Nothing was recorded." };
  return words[clip.state] ?? "";
}

function filesOf(clip, isMotionJpeg) {
  return Object.entries(KIND_WORDS).flatMap(([kind, word]) => {
    const file = clip.files?.[kind];
    if (!file) return [];
    const name = kind === "clip" && isMotionJpeg ? "MP4 (MJPEG)" : word;
    return [make("a", { class: "button", href: `${file.url}?download=1`, download: true, "aria-label": `Download ${name} of ${clip.camera_id}` }, name, make("span", { class: "quiet", text: bytes(file.size_bytes) }))];
  });
}

function digestOf(clip) {
  const file = clip.files?.clip ?? clip.files?.original;
  if (!file?.sha256) return null;
  return make("p", { class: "small quiet digest", title: file.sha256 }, "SHA-256 ", make("code", { text: file.sha256 }));
}
