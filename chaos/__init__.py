"""Sessions under fire: ``python -m chaos --store redis``, or ``make chaos``.

Several worker processes serve one store. Many clients with cookies ask them for everything that a
session can do, and write down what they saw; meanwhile workers are killed or held up, answers cut
in the middle, servers killed, frozen and cut off, disks full, files locked; another server becomes
the primary, slots of a cluster move. In the end ``sessile.testing.history`` judges: nothing
acknowledged is lost or done twice, nothing ended lives on, and nobody was answered anything but
what was asked for, or a 503 with its Retry-After. Around a fault the run tells what its client did.

``worker`` is one process and ``workers`` all of them, ``clients`` are those who ask; ``files``,
``servers`` and ``clusters`` are the stores with what happens to them, ``proxy`` stands before a
server. All chance comes from one seed, which is printed; the machine's own timing is its own, so
that a seed repeats the choices and not the run.
"""
