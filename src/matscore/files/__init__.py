"""Bytes in, bytes out: opening, splitting, parsing, encoding and writing."""
