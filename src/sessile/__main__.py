"""``python -m sessile``: the command line, as ``sessile`` is. ``cli`` has the commands."""

from sessile.cli.__main__ import main

if __name__ == "__main__":
    main()
