"""The page by which a balancer learns whether a server takes clients: ours, and no store is asked.

404 is HAProxy's word for a drain, and to any other balancer no success. docs/balancing.md tells
more.
"""

from typing import Final

from msgspec.structs import replace

from sessile.core.value import Seconds
from sessile.errors import ConfigError
from sessile.service.context import Context
from sessile.service.sessions import Sessions, context_of
from sessile.web.excluded import check_prefix
from sessile.web.refusal import Refusal, plain_answer
from sessile.wire import system

_TRIES: Final = 50
_PAUSE: Final[Seconds] = 0.01
_READY: Final = plain_answer(200, "OK", "ready")
_DRAINED: Final = plain_answer(404, "Not Found", "no new clients")


class ReadinessPage:
    """Answers for a server, or for one process where that has no name.

    Args:
        path: its own; nothing of the application is there.
        context: the collaborators.

    Attributes:
        path: its own.

    Raises:
        ConfigError: it does not begin with ``/``, or is that.
    """

    __slots__ = ("_context", "path")

    def __init__(self, path: str, context: Context) -> None:
        self.path = check_prefix("readiness", path)
        if path == "/":
            raise ConfigError(
                'readiness="/" is the home page: write a path of its own, as "/ready"'
            )
        self._context = context

    def await_look(self) -> None:
        """Let a worker that has just begun look first, where a thread can wait a moment.

        Else the first health check takes a server out that is well.
        """
        worker = self._context.worker
        if worker is None:
            return
        worker.rounds.start()
        for _ in range(_TRIES):
            if worker.has_looked:
                break
            system.sleep(_PAUSE)

    def answer(self, method: str) -> Refusal:
        """Return the answer: 200 where clients are taken.

        A worker that has just begun looks first: a server that is drained still takes nobody.
        """
        worker = self._context.worker
        if worker is not None:
            worker.rounds.start()
        is_ready = not self._context.is_drained and (worker is None or worker.has_looked)
        answer = _READY if is_ready else _DRAINED
        return replace(answer, body=b"") if method == "HEAD" else answer


def readiness_page(sessions: Sessions, path: str | None) -> ReadinessPage | None:
    """Return the page at a path; None for none.

    Raises:
        ConfigError: the path does not begin with ``/``.
    """
    return None if path is None else ReadinessPage(path, context_of(sessions))
