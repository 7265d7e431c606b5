"""Floor 4: the NATS node of a host: its configuration, its certificates, its life.

``peers`` says who they are, ``configuration`` what the server is told, ``program`` which server it
is, ``users`` who may use it, ``certificates`` how the nodes know each other, ``node`` runs it,
``units`` has what is installed.
"""
