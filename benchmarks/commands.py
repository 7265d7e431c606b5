"""Redis commands and network trips of a request, counted on the wire."""

from benchmarks.meter import Meter
from benchmarks.team import playing

NAMES = (
    "sessile redis",
    "sessile redis lazy",
    "starsessions redis",
    "litestar redis",
    "flask-session redis",
    "beaker redis",
    "django cache redis",
    "sessile flask redis",
)
SITUATIONS = {
    "anonymous": lambda player: ("untouched", ""),
    "untouched": lambda player: ("untouched", player.cookie),
    "read": lambda player: ("read", player.cookie),
    "write": lambda player: ("write", player.cookie),
    "new session": lambda player: ("start", ""),
    "login, no session before": lambda player: ("login", ""),
    "login, from a session": lambda player: ("login", player.cookie),
    "rotate": lambda player: ("rotate", player.cookie),
    "logout": lambda player: ("logout", player.cookie),
}


def measure(port, folder):
    """Return {situation: {name: (commands, trips)}}."""
    counts = {situation: {} for situation in SITUATIONS}
    meter = Meter(port)
    with playing(NAMES, meter.url, folder) as players:
        for player in players:
            for situation, request in SITUATIONS.items():
                player.start()
                for page in (
                    "read",
                    "write",
                    "login",
                    "logout",
                ):  # scripts are loaded, pools are warm
                    player.ask("get", page, player.cookie)
                player.start()
                player.ask("get", "read", player.cookie)
                order = request(player)
                meter.reset()
                player.ask("get", *order)
                counts[situation][player.name] = (tuple(meter.commands), meter.trips)
    meter.close()
    return counts
