"""Tables in Markdown, for ``make bench`` to print, and where the tests keep what starts servers."""

from pathlib import Path

TESTS = str(Path(__file__).parents[1] / "tests")


def print_table(head, rows):
    """Print a Markdown table."""
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
