"""Answers commands and questions, and says how the recorder is."""
