"""What the requests of these tests do: handlers that take a session, for ``sites.Site.ask``."""


def reads(session):
    """Look at everything."""
    return dict(session)


def puts(**values):
    """Set these values."""
    return lambda session: session.update(values)


def logs_in(session):
    """Log alice in."""
    session.login("alice")


def logs_out(session):
    """Log out."""
    session.logout()


def who(session):
    """Tell who is logged in."""
    return session.user


def names(session):
    """Tell the session's id."""
    return session.id


def adds(session):
    """Count."""
    return session.increment("hits")


def start(site, **values):
    """Return the cookie of a session that is logged in and holds these values."""

    def begin(session):
        session.update(values)
        session.login("alice")

    return site.ask(begin).cookie
