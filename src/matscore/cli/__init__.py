"""The command line: options in, api called, results shown. Nothing is computed here."""
