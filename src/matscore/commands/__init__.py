"""One module a command: the command, its work on rows, and its functions for files and frames."""
