"""What a process knows of the generation of its Postgres store, and that it never goes back.

A standby that became the primary, or a backup, may lack the last ``end_everybody``, and with it
everybody that it ended would be back. Generations are counted, so whoever has seen the newer one
knows: a generation that is newer than both is begun, for every process, and all have to log in
again. The server decides whether it went back, so that an answer that is late is no alarm.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sessile.wire.log import log_lost_generation
from sessile.wire.postgres.statement import Query, Row, Statement, integer

Run: TypeAlias = Callable[[str, Query], Awaitable[list[Row]]]


class SeenGenerations:
    """The newest generation that this process has seen.

    Args:
        name: of the store.
        statement: begins a generation behind the one that it is given, where the server's is older.
        run: asks the store's server.

    Attributes:
        newest: 0 before the first end of everybody was seen.
    """

    __slots__ = ("_name", "_run", "_statement", "newest")

    def __init__(self, name: str, statement: Statement, run: Run) -> None:
        self._name, self._statement, self._run = name, statement, run
        self.newest = 0

    async def follow(self, found: int) -> bool:
        """Take note of a generation that was read; tell whether what was read with it counts.

        It does not where it was answered late, or where the server had gone back.
        """
        if found < self.newest:
            rows = await self._run("begin", self._statement.bind(self.newest))
            if rows:
                log_lost_generation(self._name)
                self.newest = max(self.newest, integer(rows[0][0]))
            return False
        self.newest = found
        return True
