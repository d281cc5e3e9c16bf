"""Capture: one camera's frames, as JPEGs with their times, to whoever subscribes."""
