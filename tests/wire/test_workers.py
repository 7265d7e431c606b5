"""How many workers a command line and an environment ask for."""

import sys
from types import SimpleNamespace

import pytest

from sessile.wire import workers


@pytest.mark.parametrize(
    ("line", "environ", "number"),
    [
        ("/venv/bin/uvicorn shop:app --workers 4", {}, 4),
        ("/venv/bin/uvicorn shop:app --workers=4", {}, 4),
        ("/lib/uvicorn/__main__.py shop:app --workers 4", {}, 4),
        ("uvicorn.exe shop:app --workers 4", {}, 4),
        ("uvicorn shop:app", {"UVICORN_WORKERS": "3", "WEB_CONCURRENCY": "2"}, 3),
        ("uvicorn shop:app", {"WEB_CONCURRENCY": "2"}, 2),
        ("uvicorn shop:app --workers 1", {"WEB_CONCURRENCY": "2"}, 1),
        ("fastapi run shop.py --workers 4", {}, 4),
        ("gunicorn -w 4 shop:app", {}, 4),
        ("gunicorn -w4 shop:app", {}, 4),
        ("gunicorn --workers=4 shop:app", {}, 4),
        ("gunicorn -w 2 -w 5 shop:app", {}, 5),
        ("gunicorn shop:app", {"GUNICORN_CMD_ARGS": "--bind=:80 --workers=3"}, 3),
        ("gunicorn shop:app", {"GUNICORN_CMD_ARGS": "-w 3", "WEB_CONCURRENCY": "2"}, 3),
        ("gunicorn -w 4 shop:app", {"GUNICORN_CMD_ARGS": "-w 3"}, 4),
        ("gunicorn shop:app", {"WEB_CONCURRENCY": "2"}, 2),
        ("hypercorn -w 4 shop:app", {}, 4),
        ("granian shop:app --workers 4", {}, 4),
        ("granian shop:app", {"GRANIAN_WORKERS": "4"}, 4),
    ],
)
def test_number_of_workers_is_found(line, environ, number):
    """Each server's own ways of asking for workers are understood, in its own order."""
    assert workers.parse(line.split(), environ) == number


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("uvicorn shop:app", {}),
        ("uvicorn shop:app --workers", {}),
        ("uvicorn shop:app --workers many", {}),
        ("uvicorn shop:app", {"WEB_CONCURRENCY": ""}),
        ("uvicorn shop:app --workers 0", {}),
        ("python -w 4", {"WEB_CONCURRENCY": "4"}),  # a script, on a platform that sets it for all
        ("pytest -w 4", {}),
        ("", {}),
    ],
)
def test_one_worker_is_assumed(line, environ):
    """Where nothing asks for several workers of a known server, there is one."""
    assert workers.parse(line.split(), environ) == 1


def test_uwsgi_tells_itself(monkeypatch):
    """Under uWSGI the number comes from the module that uWSGI puts in place."""
    monkeypatch.setattr(sys, "argv", ["uwsgi"])
    assert workers.count() == 1

    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(numproc=4))
    assert workers.count() == 4


def test_own_command_line_and_environment_are_read(monkeypatch):
    """The question is about this very process."""
    monkeypatch.setattr(sys, "argv", ["gunicorn", "shop:app"])
    monkeypatch.setenv("WEB_CONCURRENCY", "7")

    assert workers.count() == 7
