"""Start the command line, or say which extra it lacks. ``cli.app`` has the commands."""

import sys
from io import TextIOWrapper

from sessile.errors import MissingExtra


def main() -> None:
    """Run the command named on the command line, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without ✓ shows \u2713, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        from sessile.cli.app import app  # noqa: PLC0415  (typer and rich are an extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sessile":
            raise
        sys.stderr.write(f"sessile: {MissingExtra('the command', 'cli')}\n")
        sys.exit(2)
    app(prog_name="sessile")


if __name__ == "__main__":
    main()
