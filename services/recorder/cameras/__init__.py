"""The path of a frame: received, kept in a ring, offered to the clips being recorded."""
