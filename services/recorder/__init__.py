"""The recorder: a ring of recent frames per camera, and clips cut from it."""
