"""What ties clients to servers, where one is away for a while: ``python -m benchmarks.balancing``.

Ten thousand clients, most of whom come once and a few of whom stay for long, go through a balancer
to three servers over one Redis. One server is killed under load, and comes back: its clients are
with the others by then, and a cookie keeps them there.

``servers`` are the processes, ``site`` is the application of a server and ``front`` the embedded
balancer; ``crowd`` are the clients, in a process of their own, and ``trial`` says what they saw.
"""
