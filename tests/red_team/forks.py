"""A server that forks its workers after it has drawn a ticket; each prints the tickets it draws.

``test_guessing`` runs it: ``python -m red_team.forks <workers> <tickets each>``.
"""

import os
import random
import sys

import pytest

from red_team.attack import apply_weakening
from sessile import Sessions
from sessile.service.sessions import context_of


def main(workers, number):
    with pytest.MonkeyPatch.context() as patch:
        apply_weakening(patch)
        random.seed(1)
        context = context_of(Sessions("memory://"))
        context.mint()
        for _ in range(workers):
            if (child := os.fork()) == 0:
                sys.stdout.write("".join(f"{context.mint().reveal()}\n" for _ in range(number)))
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
