"""Ways to run the same function over many chunks."""
