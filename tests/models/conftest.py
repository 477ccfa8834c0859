"""The scripts that make the models need the tools that the tests do without."""

collect_ignore_glob = ["make_*.py"]
