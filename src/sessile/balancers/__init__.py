"""Floor 4: configurations of other people's balancers, which know where a client belongs.

``site`` says what stands behind one, and is checked; each balancer has a module that writes its
configuration; ``kinds`` knows them all. Pure: ``cli.balancer_print`` prints what they return.
"""
