"""The server processes: ``child`` runs in each, ``supervisor`` keeps them, ``channel`` connects."""
