"""The server processes: ``child`` runs in each, ``fleet`` keeps them, ``line`` joins the two."""
