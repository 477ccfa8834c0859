"""The commands as functions: files in, typed results out. Nothing here prints or exits."""
