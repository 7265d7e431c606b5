"""Three nodes of the demo, one beside each of its first servers, and the wires between them."""
