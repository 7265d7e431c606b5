"""A server is drained and restarted under load; ``make balancing`` does it with three."""

from harness.rolling import serve_rolling_site

SHOPPERS, PAUSE = 8, 0.05


def test_server_restarts_under_load_and_nobody_notices(redis_server, tmp_path):
    """No request fails, no session and no write is lost; its clients are elsewhere then."""
    url = f"{redis_server.url}?prefix={tmp_path.name}:&timeout=10"
    with serve_rolling_site(url, {"a": 2, "b": 1}) as site:
        with site.shop(SHOPPERS, PAUSE) as shoppers:
            before = {one.server for one in shoppers}
            site.restart("a")
        told = site.servers["a"].command("servers").stdout.splitlines()

    assert [one.failures for one in shoppers] == [[]] * SHOPPERS
    assert [one.losses for one in shoppers] == [[]] * SHOPPERS
    assert "a" in before
    assert {one.server for one in shoppers} == {"b"}
    assert [line.split("\t")[:3] for line in told] == [["a", "2", "no"], ["b", "1", "no"]]
