"""A connection to a Postgres server: queries out, answers in, and never a wait.

Threads (``postgres.pool``) and event loops (``postgres.lane``) wait for its socket themselves. All
queries of one act leave together and are one transaction: libpq's pipeline mode.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from psycopg import pq
from psycopg.errors import Error

from sessile.core.value import Seconds
from sessile.wire.postgres.endpoint import ServerError
from sessile.wire.postgres.statement import Query, Row

BINARY: Final = 1
_BROKEN: Final = "the server closed the connection"
_OK: Final = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Notification(NamedTuple):
    """What NOTIFY has sent.

    Attributes:
        channel: that was listened to.
        payload: the text that was sent along.
        pid: the number of the server's process that sent it; nobody can send another.
    """

    channel: str
    payload: str
    pid: int


class PostgresConnection:
    """One connection, which is asked one act at a time.

    Args:
        pgconn: connected.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        fd: its socket's.
        heard: when it was opened, or an act was answered.
        unsent: whether bytes wait until the socket can be written.
    """

    __slots__ = (
        "_error",
        "_left",
        "_pgconn",
        "_prepared",
        "_rows",
        "_timer",
        "fd",
        "heard",
        "unsent",
    )

    def __init__(self, pgconn: pq.abc.PGconn, timer: Callable[[], Seconds]) -> None:
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        self._pgconn = pgconn
        self._timer = timer
        self._prepared: set[bytes] = set()
        self._rows: list[list[Row]] = []
        self._error: ServerError | None = None
        self._left: list[bool] = []  # of the answers that are due: whether it is a statement's own
        self.fd = pgconn.socket
        self.heard = timer()
        self.unsent = False

    def send(self, queries: Sequence[Query], *, prepares: bool) -> None:
        """Send the queries of one act, as far as the socket takes them.

        Raises:
            ConnectionError: the connection is broken.
        """
        pgconn, self._rows, self._error = self._pgconn, [], None
        self._left = []
        try:
            for query in queries:
                statement = query.statement
                if not prepares:
                    pgconn.send_query_params(
                        statement.text, query.values, statement.types,
                        [BINARY] * len(query.values), BINARY,
                    )  # fmt: skip
                    self._left.append(True)
                    continue
                if statement.name not in self._prepared:
                    pgconn.send_prepare(statement.name, statement.text, statement.types)
                    self._prepared.add(statement.name)
                    self._left.append(False)
                pgconn.send_query_prepared(
                    statement.name, query.values, [BINARY] * len(query.values), BINARY
                )
                self._left.append(True)
            pgconn.pipeline_sync()
            self.unsent = pgconn.flush() == 1
        except Error as error:
            raise ConnectionResetError(_first_line(str(error))) from None

    def advance(self) -> bool:
        """Read and write what can be, and tell whether the whole answer is there.

        Raises:
            ConnectionError: the connection is broken.
        """
        pgconn = self._pgconn
        try:
            if self.unsent:
                self.unsent = pgconn.flush() == 1
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    if pgconn.status != pq.ConnStatus.OK:
                        raise ConnectionResetError(self._reason())
                    continue  # the end of one statement's answer
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self.heard = self._timer()
                    return True
                self._take(result)
        except Error as error:
            raise ConnectionResetError(_first_line(str(error))) from None
        return False

    def rows(self) -> list[list[Row]]:
        """Return the rows that each query of the act was answered with.

        Raises:
            ServerError: the server refused one, and has undone them all.
        """
        rows, error = self._rows, self._error
        self._rows, self._error = [], None
        if error is not None:
            self._prepared.clear()  # what was to be prepared behind it is not; the pool closes it
            raise error
        return rows

    def receive(self) -> None:
        """Read what can be, while no act is under way.

        Raises:
            ConnectionError: the connection is broken.
        """
        try:
            self._pgconn.consume_input()
        except Error as error:
            raise ConnectionResetError(_first_line(str(error))) from None

    def notifications(self) -> list[Notification]:
        """Return the notifications that were read since, in the order of the server."""
        found: list[Notification] = []
        while (one := self._pgconn.notifies()) is not None:
            text = (one.relname.decode("utf-8", "replace"), one.extra.decode("utf-8", "replace"))
            found.append(Notification(*text, one.be_pid))
        return found

    @property
    def backend_pid(self) -> int:
        """The number of the server's process, as who answered the connection has it."""
        return self._pgconn.backend_pid

    def close(self) -> None:
        """Close it at once. Harmless when repeated."""
        self._pgconn.finish()

    def _take(self, result: pq.abc.PGresult) -> None:
        if result.status in _OK:
            if self._left.pop(0):
                self._rows.append(
                    [
                        tuple([result.get_value(row, column) for column in range(result.nfields)])
                        for row in range(result.ntuples)
                    ]
                )
        elif result.status == pq.ExecStatus.FATAL_ERROR:
            code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            text = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode(
                "utf-8", "replace"
            )
            if self._pgconn.status != pq.ConnStatus.OK or not code:
                raise ConnectionResetError(text or self._reason())
            self._error = self._error or ServerError(code, text)

    def _reason(self) -> str:
        return _first_line(self._pgconn.get_error_message()) or _BROKEN


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
