"""Outputs: encoded in a format, compressed, and written whole or not at all."""
