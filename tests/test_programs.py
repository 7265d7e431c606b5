"""The programs of docs/start.md run: a shop in each framework, with a cart, a login, a logout."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from harness.examples import run_example
from sessile.testing.application import SessionTester
from sessile.web.flask import session

START = (Path(__file__).parent.parent / "docs" / "start.md").read_text()
PROGRAMS = {
    framework: program
    for program in re.findall(r"^```python\n(.*?)^```$", START, re.MULTILINE | re.DOTALL)
    for framework in re.findall(r"^app = (\w+)\(", program, re.MULTILINE)
}
"""By what makes their application."""


@pytest.fixture
def program(request, monkeypatch):
    """The names of a program that ran."""
    monkeypatch.setenv("SESSILE_URL", "memory://")
    names = {"__name__": "shop"}
    exec(compile(PROGRAMS[request.param], "docs/start.md", "exec"), names)
    return names


def posts(app, paths):
    """What an application answers to these requests of one browser."""
    if asyncio.iscoroutinefunction(type(app).__call__):
        return asyncio.run(posts_async(app, paths))
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="https://shop") as browser:
        return [browser.post(path) for path in paths]


async def posts_async(app, paths):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop") as browser:
        return [await browser.post(path) for path in paths]


def test_there_is_a_program_for_each_framework() -> None:
    """FastAPI, Starlette, Flask, and whatever else speaks WSGI."""
    assert set(PROGRAMS) == {"FastAPI", "Starlette", "Flask", "SessionMiddleware"}


@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_program_logs_in(program) -> None:
    """A visitor with a cart who logs in has one session, and each step sets a cookie."""
    responses = posts(program["app"], ["/cart", "/login"])

    assert [response.status_code for response in responses] == [200, 200]
    assert all("__Host-sid" in response.cookies for response in responses)
    assert len(program["sessions"].sync.of("alice")) == 1


@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_program_logs_out(program) -> None:
    """After the logout no session is left."""
    responses = posts(program["app"], ["/login", "/cart", "/logout"])

    assert {response.status_code for response in responses} == {200}
    assert program["sessions"].sync.of("alice") == []


def test_applications_of_a_factory_share_their_sessions(monkeypatch) -> None:
    """Who is logged in to one that ``create_app`` made is so in the next, as in tests."""
    monkeypatch.setenv("SESSILE_URL", "memory://")
    page = run_example("start.md", "create_app")
    with SessionTester(page.sessions) as tester:
        cookies = tester.log_in("alice")
    users = []
    for app in (page.create_app(), page.create_app()):
        app.add_url_rule("/", view_func=lambda: users.append(session.user) or "")
        client = app.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        client.get("/", base_url="https://localhost")

    assert users == ["alice", "alice"]
