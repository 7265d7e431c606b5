"""Sessions for an hour: ``python -m soak --store redis``, or ``make soak``.

Worker processes serve one store. A crowd visits them: most visitors look and go, some begin a
session, read and write it, log in, rotate, log out, or leave it to expire; some hang up before they
are answered. Meanwhile the run notes the memory, the threads, the open files and the connections of
the workers and of the store. What grows with the visitors, and not with the sessions that live, is
a leak: in the end the last quarter of the run is compared with the second one.

``worker`` is one process, ``crowd`` are those who ask, ``visits`` is one connection of theirs and
what goes over it, ``stores`` starts the store and asks it, ``figures`` are noted and judged.
"""
