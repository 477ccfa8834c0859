"""``python -m matscore``."""

from matscore.cli.main import main

if __name__ == "__main__":
    main()
