"""What to do about every error: for ``docs/errors.md``, beside what the code itself says of it.

``tables.py`` takes the rest from ``sessile.errors``, and fails where an error is not here.
"""

from sessile import errors

REMEDIES: dict[type[errors.SessileError], str] = {
    errors.SessileError: "Catch it where you mean all of them.",
    errors.ConfigError: (
        "Write what the message says. It comes when the application starts; in a request where "
        "only that can tell, as in `save()` of a WebSocket whose visitor has no session."
    ),
    errors.MissingExtra: "Install the extra that it names.",
    errors.NoOption: "Take the name that the message proposes.",
    errors.NoUser: "Give the user's id as text: `str(user.id)`.",
    errors.WeakSecret: "Take one that `sessile keygen` prints.",
    errors.StoreError: "Catch it where you mean all of the store's.",
    errors.KeyTaken: (
        "Only a store raises it, in `create`: see [testing your own store](testing-your-store.md). "
        "No application meets it."
    ),
    errors.StoreClosed: (
        "Close `Sessions` last. A store of your own, `store=`, you make anew; what a URL names is "
        "opened again by the next startup."
    ),
    errors.StoreUnavailable: (
        "Nothing, in a handler. In calls of your own, as `sessions.of`, say that it is for a "
        "moment. `sessile doctor` says what is wrong with the store."
    ),
    errors.LostRace: (
        "Nothing, if it is rare: the client tries again. If not, many requests write one session "
        "at once: keep what they count elsewhere."
    ),
    errors.SessionError: "Catch it where you mean all of these.",
    errors.NotLoaded: (
        "`await load_session(request)` first, or take `SessionDep`: see "
        "[requests that need no session](start.md#requests-that-need-no-session)."
    ),
    errors.SessionEnded: (
        "Catch it around the block, and end what was done for the session: see "
        "[sockets and streams](sockets.md#by-the-application)."
    ),
    errors.TooManySessions: (
        "Show `error.user` a page that ends another session: see [below](#pages-of-your-own)."
    ),
    errors.LoginNeeded: (
        '`require(otherwise="/login")` sends a browser to your login page: see '
        "[requests](requests.md#who-may-go-on)."
    ),
    errors.StepUpNeeded: (
        "Ask for the proof that its attributes name, and then `session.step_up(...)` or log in "
        "anew: see [logins](logins.md)."
    ),
    errors.TokenNeeded: (
        "Put `csrf_token()` into the form: see [requests](requests.md#csrf-tokens). After a login "
        "old pages have to be loaded again."
    ),
    errors.TooLate: (
        "Change the session before the answer starts; in a stream, before its first byte. A "
        "WebSocket saves by `save()`."
    ),
    errors.ViewMismatch: (
        "Give the class a `version=` and an `upgrade=`, or remove the value: see "
        "[an object of your own class](start.md#an-object-of-your-own-class)."
    ),
    errors.UnsupportedValue: (
        "Keep what [a session can hold](start.md#what-a-session-can-hold): a dict of an object's "
        "fields, or its id."
    ),
    errors.SessionTooLarge: (
        "Keep the large thing elsewhere and its name here, or raise the "
        "[limit](start.md#what-a-session-can-hold)."
    ),
}
