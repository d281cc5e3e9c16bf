"""One clip on disk: written, judged, described, repaired."""
