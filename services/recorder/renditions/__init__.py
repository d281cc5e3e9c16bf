"""Encoders: worker processes that make the H.264 of a clip."""
