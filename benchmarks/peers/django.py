"""Applications on Django, with the middleware it needs for sessions and no other."""

import os
from urllib.parse import urlsplit

from benchmarks.peers import DATA, PAGES, POSTGRES

urlpatterns = []


def make(option, redis, folder):
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    engine = {"cache": "cache", "db": "db", "db-postgres": "db"}.get(option)
    settings.configure(
        SECRET_KEY="bench" * 10,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="benchmarks.peers.django",
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"] if engine else [],
        INSTALLED_APPS=["django.contrib.sessions"] if engine else [],
        SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}" if engine else "",
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis}
        },
        DATABASES={"default": database(option, folder)},
    )
    django.setup()
    if engine == "db":
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        if option == "db":
            connection.cursor().execute("PRAGMA journal_mode=WAL")
    from django.urls import path

    acts = ACTS if engine else {}
    urlpatterns.extend(path(page, view(acts.get(page))) for page in PAGES)
    return WSGIHandler()


def database(option, folder):
    """Give what Django keeps its sessions in; connections to a server are kept."""
    if option != "db-postgres":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/django.db"}
    place = urlsplit(f"postgresql://{os.environ[POSTGRES]}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": place.path[1:],
        "USER": place.username,
        "HOST": place.hostname,
        "PORT": place.port,
        "CONN_MAX_AGE": None,
    }


def view(act):
    from django.http import HttpResponse

    def page(request):
        if act is not None:
            act(request.session)
        return HttpResponse("ok")

    return page


def start(session):
    session.update(DATA)
    session["n"] = 0


def read(session):
    session["field_1"]


def write(session):
    session["n"] = session["n"] + 1


ACTS = {
    "start": start,
    "read": read,
    "write": write,
    "login": lambda s: (s.cycle_key(), s.update({"user": "alice"})),
    "rotate": lambda s: s.cycle_key(),
    "logout": lambda s: s.flush(),
}
