"""The commands as functions: typed results, no printing."""
