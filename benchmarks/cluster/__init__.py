"""Three hosts that keep sessions among themselves: ``python -m benchmarks.cluster``.

A host is a ``sessile node`` and one or more workers, all of them processes on loopback. Visitors
come through the embedded balancer, each request to the next host; hosts are killed and held up, and
in the end ``sessile.testing.history`` judges what the visitors saw.

``hosts`` are the processes, ``site`` is the application of a worker and ``front`` the balancer;
``visitors`` and ``tabs`` are those who ask. Each of the others measures one thing, and ``report``
makes a table of it.
"""
