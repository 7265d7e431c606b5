"""What sessions cost, ours beside the peers', measured in one run: ``make bench``."""
