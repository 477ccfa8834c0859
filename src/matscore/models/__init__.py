"""Models of other tools, read without running anything of theirs, as terms and their weights."""
