"""The application's own ``Sessions``, by the name that Python knows it by: ``shop:sessions``."""

import sys
from contextlib import redirect_stdout
from functools import reduce
from importlib import import_module
from pathlib import Path

from sessile.errors import ConfigError, SessileError
from sessile.service.sessions import Sessions


def load_sessions(name: str) -> Sessions:
    """Import a module, as a server would from this folder, and return the ``Sessions`` in it.

    Raises:
        ConfigError: there is none of that name, or the module cannot be imported.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise ConfigError(f"--app {name}: write module:name, as in --app shop:sessions")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        with redirect_stdout(sys.stderr):  # what it prints is no part of a list, or of JSON
            found = reduce(getattr, path.split("."), import_module(module))
    except SessileError:
        raise
    except AttributeError as error:
        raise ConfigError(f"--app {name}: {error}") from error
    except SystemExit as error:
        raise ConfigError(
            f"--app {name}: importing {module} ended the program, as a script does: start it below "
            'if __name__ == "__main__":, or name the module that makes the sessions'
        ) from error
    except Exception as error:  # whatever an application does wrong when it is imported
        raise ConfigError(
            f"--app {name}: importing {module} failed with {type(error).__name__}: {error}; go to "
            "the folder where the application starts, and give it its environment"
        ) from error
    if not isinstance(found, Sessions):
        raise ConfigError(
            f"--app {name} is a {type(found).__name__}: name the Sessions(...) that the "
            "application gives its middleware"
        )
    return found
