"""``python -m derivproxy`` is the command ``derivproxy``."""

from derivproxy.cli import main

if __name__ == "__main__":
    main()
