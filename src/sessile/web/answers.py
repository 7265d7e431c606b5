"""Pages of the application's own for errors that no handler meets: those of the save, above all.

A session is saved when the answer starts, and read before a handler runs, so no ``try`` in one sees
these errors. ``web.asgi`` and ``web.wsgi`` ask here before they send a ``web.refusal``.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias, TypeVar

from sessile.errors import ConfigError, SessileError
from sessile.web.scope import App, Receive, Scope, Send

Page = TypeVar("Page")
Answers: TypeAlias = Mapping[type[Exception], Page]

ERROR: Final = "sessile.error"
"""Where the scope, or the environ, of such a page holds the error."""

_ANY: Final = (Exception, BaseException, object)


def check_answers(given: Answers[Page] | None) -> dict[type, Page]:
    """Return the pages by the error that each one answers.

    Raises:
        ConfigError: they are no such mapping.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"answers is a {type(given).__name__}: "
            "write a dict, as in answers={TooManySessions: page}"
        )
    for kind, page in given.items():
        if not _is_error(kind):
            raise ConfigError(f"answers: {kind!r} is no error of sessile.errors")
        if not callable(page):
            raise ConfigError(f"answers[{kind.__name__}] is no application: {page!r}")
    return dict(given)


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, SessileError)


def find_answer(answers: Mapping[Any, Page], error: Exception) -> Page | None:
    """Return the page for an error: that of its class, or of the nearest one above it."""
    if not answers:
        return None
    kinds = (kind for kind in type(error).__mro__ if kind not in _ANY)
    return next((answers[kind] for kind in kinds if kind in answers), None)


def find_asgi_answer(
    answers: Mapping[type, App], apps: Iterable[object], error: Exception
) -> App | None:
    """Return the page for an error: our option's, else an exception handler of Starlette's.

    Args:
        answers: those of the option.
        apps: the applications that serve the request, a mounted one before the outer one.
        error: the error.
    """
    handlers = (_find_handler(app, error) for app in apps)
    return find_answer(answers, error) or next(filter(None, handlers), None)


def _find_handler(app: object, error: Exception) -> App | None:
    """Return a handler that was added by ``app.add_exception_handler``, as an application.

    One of ``Exception`` is none: it is for what nobody foresaw, and its answer is a 500.
    """
    framework = sys.modules.get("starlette.applications")
    if framework is None or not isinstance(app, framework.Starlette):
        return None
    handler = find_answer(app.exception_handlers, error)
    return None if handler is None else _as_app(handler, error)


def _as_app(handler: Callable[[Any, Exception], Any], error: Exception) -> App:
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415  (it is imported already)
    from starlette.requests import Request  # noqa: PLC0415

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        if iscoroutinefunction(handler):
            response: Any = await handler(request, error)
        else:
            response = await run_in_threadpool(handler, request, error)
        if isinstance(response, Awaitable):
            response = await response
        await response(scope, receive, send)

    return page
