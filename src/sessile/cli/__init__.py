"""Floor 9: the command ``sessile``, one file per command. Parses and prints, decides nothing."""
