"""The disk, its folders and files, the index, and what is removed."""
