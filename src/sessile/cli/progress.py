"""Progress on stderr: how many there were so far. For the commands whose work may be long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def show_count(doing: str) -> Iterator[Callable[[int], None]]:
    """Show a count during the work; show nothing where stderr is no terminal.

    Yields:
        A function that takes how many more there are. Their total is not known beforehand.
    """
    if not sys.stderr.isatty():
        yield lambda _: None  # a Progress that is disabled still ends with an empty line
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} sessions"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # stdout may be a pipe, which stderr's terminal must not swallow
    ) as progress:
        yield partial(progress.advance, progress.add_task(doing, total=None))
