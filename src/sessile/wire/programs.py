"""Programs on this host: where they are, what they say, and the life of one that serves.

``cluster`` says which.
"""

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import FrameType
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import ConfigError

_SAYS_WITHIN: Final[Seconds] = 10.0

_STOPPING: Final = tuple(
    signal.Signals[name]
    for name in ("SIGTERM", "SIGINT", "SIGHUP")  # the last one of a terminal that is closed
    if name in signal.Signals.__members__
)


def find_in_path(name: str) -> Path | None:
    """Return the program of that name in ``PATH``."""
    found = shutil.which(name)
    return None if found is None else Path(found).absolute()


def find_in_wheel(wheel: str, name: str) -> tuple[Path, str] | None:
    """Return a program that an installed wheel brought, and the wheel's version."""
    try:
        found = distribution(wheel)
    except PackageNotFoundError:
        return None
    for file in found.files or ():
        path = Path(str(file.locate())).resolve()
        if file.name == name and path.is_file():
            return path, found.version
    return None


def output_of(path: Path, *words: str) -> str:
    """Run a program, and return what it says.

    Raises:
        ConfigError: it cannot be run, or does not end.
    """
    try:
        done = subprocess.run(  # noqa: S603  (the program that the operator chose)
            [path, *words], capture_output=True, timeout=_SAYS_WITHIN, check=False
        )
    except OSError as error:
        raise ConfigError(f"{path} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{path} {' '.join(words)} says nothing") from error
    return (done.stdout + done.stderr).decode(errors="replace")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ServingProgram:
    """A program that serves until it is told to stop.

    It has a process group of its own, so Ctrl-C in a terminal reaches us alone, and we tell it.

    Args:
        command: the program and its words, none of them secret: every user of the host sees them.
        environ: its environment.
        inherit: an open file that is locked, and stays so for as long as it lives, also without us.
        ends_with_us: whether it is killed when this process is, where the system does that.
    """

    def __init__(
        self,
        command: list[str],
        environ: Mapping[str, str],
        inherit: int,
        *,
        ends_with_us: bool = False,
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[inherit],
            preexec_fn=_end_with_parent() if ends_with_us else None,  # noqa: PLW1509
        )

    def lines(self) -> Iterator[bytes]:
        """Yield what it says on its standard error, until it has ended."""
        if self._process.stderr is not None:
            yield from self._process.stderr

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return its code when it has ended; that of a signal is negative."""
        return self._process.wait()


def start_behind(command: list[str], log: Path, *, inherit: int) -> "subprocess.Popen[bytes]":
    """Start a program that goes on without us, with our environment but for secrets.

    Args:
        command: the program and its words.
        log: gets what it says.
        inherit: an open file that it has besides.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            env=environment_without("SESSILE_SECRETS", "SESSILE_URL", "SESSILE_FORMER_URL"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[inherit],
        )


def print_line(line: bytes) -> None:
    """Write a line of a log on our standard error."""
    with contextlib.suppress(OSError):  # nobody reads it any more, which is no reason to end
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()


_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def _end_with_parent() -> Callable[[], object] | None:
    """Return an act for a child that has it killed when its parent dies, on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # before the fork, after which as little is done as can be
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value)


@contextlib.contextmanager
def catch_stop_signals(act: Callable[[], None]) -> Iterator[None]:
    """Have an act take the place of our end by SIGTERM, Ctrl-C or SIGHUP. Of the main thread.

    Args:
        act: called between any two steps of the program, so it may not print.
    """

    def catch(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        act()

    former = {number: signal.signal(number, catch) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def environment_without(*names: str) -> dict[str, str]:
    """Return our environment but for some names."""
    return {name: value for name, value in os.environ.items() if name not in names}
