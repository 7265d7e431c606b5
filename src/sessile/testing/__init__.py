"""Shipped for whoever tests sessile: our own suite, third-party stores, applications.

``conformance`` asks a store for every promise of ``stores.contract``; ``model`` compares it with a
dict; ``step`` stops a flow at each act of I/O; ``clock`` holds time and entropy still. For
applications: ``application``, which pytest has as the fixture ``session_tester``.
"""
