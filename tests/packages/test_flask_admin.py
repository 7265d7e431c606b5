"""Flask-Admin over sessile: who may see it, and its forms, with tokens of their own or of ours."""

from pathlib import Path
from typing import ClassVar

import flask_admin
import flask_login
import pytest
from flask_admin.contrib.fileadmin import FileAdmin
from flask_admin.form import SecureForm
from flask_wtf import CSRFProtect

from packages.flask_portal import FlaskPortal
from packages.portal import Logins, OfThePage, fields_of
from sessile.web.flask import check_csrf, csrf_token

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # of Flask-Login


class Editor(flask_login.UserMixin):
    id = "alice"


class Files(FileAdmin):
    """Folders for whoever is logged in."""

    def is_accessible(self):
        return flask_login.current_user.is_authenticated

    def inaccessible_callback(self, name, **_):
        return "who are you?", 401


class SecureFiles(Files):
    form_base_class = SecureForm


class AdminPortal(FlaskPortal):
    """Files at ``/admin/files/``, behind Flask-Login."""

    folder: ClassVar[Path]
    view = Files

    def set_up(self, app):
        manager = flask_login.LoginManager(app)
        manager.user_loader(lambda _: Editor())
        self.show_files(app)

        @app.post("/login")
        def login():
            flask_login.login_user(Editor())
            return csrf_token()

        @app.post("/logout")
        def logout():
            flask_login.logout_user()
            return "out"

    def show_files(self, app):
        admin = flask_admin.Admin(app, name="portal")
        admin.add_view(self.view(str(self.folder), name="Files", endpoint="files"))

    def is_in(self, visitor):
        return visitor.get("/admin/files/").status_code == 200


class PageAdminPortal(OfThePage, AdminPortal):
    example = "Files"

    def show_files(self, app):
        self.run_example(app, folder=str(self.folder))


class SecurePortal(AdminPortal):
    view = SecureFiles


class CheckedPortal(AdminPortal):
    """Every request that may change something has to bring a token of ours."""

    def set_up(self, app):
        super().set_up(app)
        app.before_request(check_csrf)
        app.add_url_rule("/token", view_func=csrf_token)

    def log_in(self, visitor, **form):
        token = visitor.get("/token").text
        super().log_in(visitor, csrf_token=token)


class ProtectedPortal(AdminPortal):
    """As that, with Flask-WTF's tokens."""

    def set_up(self, app):
        super().set_up(app)
        CSRFProtect(app).exempt(app.view_functions["login"])


class TestFlaskAdmin(Logins):
    portal = AdminPortal


class TestFlaskAdminSecured(Logins):
    portal = SecurePortal


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder that the portal shows."""
    monkeypatch.setattr(AdminPortal, "folder", tmp_path, raising=False)
    return tmp_path


def make_folder(visitor, name, **fields):
    """Send the form that makes a folder, as a browser does that has just been shown it."""
    page = visitor.get("/admin/files/mkdir/")
    sent = {"name": name, **fields_of(page), **fields}
    return visitor.post("/admin/files/mkdir/", data=sent)


@pytest.mark.parametrize(
    "portal", [AdminPortal, SecurePortal, PageAdminPortal, CheckedPortal, ProtectedPortal]
)
def test_form_is_taken_with_the_token_that_it_shows(portal, folder):
    """None, its own, ours, or Flask-WTF's: a form shows the one token that is asked for."""
    alice = portal().customer()
    assert make_folder(alice, "hats").status_code == 302
    assert (folder / "hats").is_dir()
    page = alice.get("/admin/files/")
    sent = {"path": "hats", **fields_of(page)}

    assert alice.post("/admin/files/delete/", data=sent).status_code == 302
    assert not (folder / "hats").exists()


@pytest.mark.parametrize("portal", [SecurePortal, CheckedPortal, ProtectedPortal])
def test_form_with_the_token_of_another_session_is_refused(portal, folder):
    """Another login's is no token, and none is none."""
    site = portal()
    thief, alice = site.customer(), site.customer()
    (stolen,) = fields_of(thief.get("/admin/files/mkdir/")).values()
    for token in (stolen, ""):
        make_folder(alice, "hats", csrf_token=token)

    assert not (folder / "hats").exists()
