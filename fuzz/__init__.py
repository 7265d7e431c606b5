"""Coverage-guided fuzzing of everything that a stranger may send: ``python -m fuzz cookie``.

One module, one target: ``SEEDS`` to begin with, ``LONGEST`` for the bytes of an input, and
``check``, which raises when something that must always hold does not. ``fuzz.__main__`` hands it to
atheris, which keeps the inputs that reach new lines and changes those further.
"""
