"""Sessions under fire: ``python -m chaos --store redis``, or ``make chaos``.

Several worker processes serve one store. Many clients with cookies ask them for everything that a
session can do, and write down what they saw; meanwhile workers are killed or held up, answers cut,
the server frozen, the file locked, the disk full. In the end ``sessile.testing.history`` judges:
nothing acknowledged is lost, nothing ended lives on. Around a fault the run tells what its client
did.

``worker`` is one process, ``clients`` are those who ask, ``troubles`` what happens to them. All
chance comes from one seed, which is printed; the machine's own timing is its own, so that a seed
repeats the choices and not the run.
"""
