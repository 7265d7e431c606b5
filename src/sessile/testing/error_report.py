"""What an error tracker makes of an error: every frame that it passed through, with its locals.

``promises.secrecy`` looks for secrets there.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from traceback import walk_tb

_HERE = str(Path(__file__).parent)


def report_error(
    error: BaseException, *, within: str = "", leaving_out: Collection[str] = ()
) -> str:
    """Return the text of an error and of what led to it, and the locals of their frames by repr.

    Frames of ``sessile.testing`` are left out: they are the test's own.

    Args:
        error: it was raised.
        within: the folder of the files to look at; empty is all of them.
        leaving_out: names of locals that are not to be looked at.
    """
    lines = []
    for one in _chain(error):
        lines.append(repr(one))
        for frame, number in walk_tb(one.__traceback__):
            file = frame.f_code.co_filename
            if file.startswith(_HERE) or not file.startswith(within):
                continue
            lines += [
                f"{file}:{number} {frame.f_code.co_name}: {name} = {value!r}"
                for name, value in frame.f_locals.items()
                if name not in leaving_out
            ]
    return "\n".join(lines)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes and its contexts, those that Python would not print included."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield one
