"""Floor 3: one backend, one file. ``contract`` says what each promises, ``open`` finds it."""
