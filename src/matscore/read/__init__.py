"""Inputs: opened, recognised, split into chunks, and parsed into columns, labels and rejects."""
