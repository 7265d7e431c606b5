"""User agents: what people call the browser and the system, of real headers and of hostile ones."""

import subprocess
import sys
import threading

import pytest
import ua_parser
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.codecs import agent as module
from sessile.codecs.agent import MAX_LENGTH, UserAgent, recognise
from sessile.core.client import Client
from sessile.testing.effort import effort

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)"
PHONE = "Mozilla/5.0 (Linux; Android 10; K)"
CHROME = "Chrome/131.0.0.0"
REAL = [
    (f"{WINDOWS} {WEBKIT} {CHROME} Safari/537.36", "Chrome on Windows"),
    (f"{MAC} {WEBKIT} {CHROME} Safari/537.36", "Chrome on macOS"),
    (f"{PHONE} {WEBKIT} {CHROME} Mobile Safari/537.36", "Chrome on Android"),
    (f"{IPHONE} {APPLE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", "Chrome on iOS"),
    (("Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 (KHTML, like"
     " Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36"), "Chrome on Android"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} {CHROME} Safari/537.36",
     "Chrome on ChromeOS"),
    (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36",
     "Chrome on Linux"),
    (f"{WINDOWS} {WEBKIT} {CHROME} Safari/537.36 Edg/131.0.2903.70", "Edge on Windows"),
    (f"{PHONE} {WEBKIT} {CHROME} Mobile Safari/537.36 EdgA/131.0.2903.48", "Edge on Android"),
    (f"{IPHONE} {APPLE} Version/17.0 EdgiOS/131.2903.68 Mobile/15E148 Safari/604.1", "Edge on iOS"),
    (f"{MAC} {WEBKIT} {CHROME} Safari/537.36 OPR/116.0.0.0", "Opera on macOS"),
    (f"{PHONE} {WEBKIT} {CHROME} Mobile Safari/537.36 OPR/86.0.0.0", "Opera on Android"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
     "Firefox on Windows"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
     "Firefox on Linux"),
    ("Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
     "Firefox on Linux"),
    ("Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "Firefox on Android"),
    (f"{IPHONE} {APPLE} FxiOS/132.0 Mobile/15E148 Safari/605.1.15", "Firefox on iOS"),
    (f"{MAC} {APPLE} Version/18.1 Safari/605.1.15", "Safari on macOS"),
    (f"{IPHONE} {APPLE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari on iOS"),
    (("Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
     " Version/17.7 Mobile/15E148 Safari/604.1"), "Safari on iOS"),
    (f"{IPHONE} {APPLE} Mobile/15E148", "Safari on iOS"),
    (("Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko)"
     " SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36"), "Samsung Internet on Android"),
    ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
     "Internet Explorer on Windows"),
    (("Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; NOKIA;"
     " Lumia 920)"), "Internet Explorer on Windows Phone"),
    ("curl/8.5.0", "curl"),
    ("python-requests/2.32.3", "python-requests"),
    ("python-httpx/0.27.2", "httpx"),
    ("PostmanRuntime/7.42.0", "PostmanRuntime"),
    ("testclient", "testclient"),
    ("Mozilla/5.0", ""),
    ("", ""),
]  # fmt: skip


@pytest.fixture(params=["plain", "fast"])
def resolver(request, monkeypatch):
    """The resolver of the core, then the one of the extra."""
    if request.param == "plain":
        monkeypatch.setattr(ua_parser, "RegexResolver", None)
    else:
        assert ua_parser.RegexResolver is not None, "pip install sessile[agents]"
    forget()
    yield request.param
    forget()


def device(agent):
    """Return what a device with that agent is called."""
    return Client("", agent.browser, agent.system).device


def forget():
    module._resolver.cache_clear()
    module._parse.cache_clear()


@pytest.mark.parametrize(("header", "label"), REAL, ids=lambda text: text[-40:])
def test_real_agents_have_the_names_people_use(resolver, header, label):
    """Browser and system are named without versions, as on a page of devices."""
    assert device(recognise(header)) == label


def test_family_outlives_an_update():
    """What a session is bound to does not change when the browser is updated."""
    assert recognise(REAL[0][0]) == recognise(REAL[0][0].replace("131", "132"))
    assert recognise(REAL[0][0]) == UserAgent("Chrome", "Windows")


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (UserAgent("Chrome", "Android"), "Chrome on Android"),
        (UserAgent("Firefox", ""), "Firefox"),
        (UserAgent("", "Linux"), "Linux"),
        (UserAgent("", ""), ""),
    ],
)
def test_label_says_what_is_known(agent, label):
    """A part that is not known is left out."""
    assert device(agent) == label


HOSTILE = [
    "<script>alert(1)</script>-iPad/1 CFNetwork",
    "<script>bot</script>/1.0",
    "Chrome/1\r\nSet-Cookie: a=b",
    "\x1b[31mcurl/8\x00",
    "{{7*7}}/1.0 CFNetwork/1 Darwin/1",
    "a" * 100_000,
    "curl/8" + "\u202e" * 100_000,
    "\ud800" * 300,
    "iOS" * 4_000,
    "Mozilla/5.0 (" * 400,
    "/" * 5_000,
]


@pytest.mark.parametrize("header", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_agents_make_no_name(resolver, header):
    """A name has no markup, no control characters and no length to speak of."""
    agent = recognise(header)

    for name in (agent.browser, agent.system):
        assert len(name) <= 40
        assert name.isprintable()
        assert not set(name) & set("<>&\"'{}`")


@effort(300, 10_000)
@given(
    st.text(max_size=400) | st.sampled_from(REAL).flatmap(lambda row: st.just(row[0])), st.text()
)
@example("\ud800", "")
def test_no_header_upsets_the_reader(header, tail):
    """Whatever is sent, an agent comes back, and the same one each time."""
    assert recognise(header + tail) == recognise(header + tail)
    assert "Other" not in (recognise(header + tail).browser, recognise(header).system)


def test_only_the_beginning_is_looked_at(monkeypatch):
    """The cost of an agent does not grow with its length, nor does what is remembered of it."""
    seen = []
    monkeypatch.setattr(module, "_parse", seen.append)
    recognise("é" * 10_000)
    recognise("\0" * 10_000)
    recognise("a\0b")

    assert [len(text) for text in seen] == [MAX_LENGTH, 0, 2]


def test_agents_remembered_are_few():
    """A client that sends a new agent each time does not fill the memory."""
    assert module._parse.cache_info().maxsize == 1024


def test_first_agents_may_come_at_once(resolver):
    """Threads that meet before the library is loaded all get the answer."""
    gate = threading.Barrier(8)
    labels = []

    def ask():
        gate.wait()
        labels.append(device(recognise(REAL[0][0])))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert labels == ["Chrome on Windows"] * 8


def test_library_is_loaded_at_the_first_agent():
    """Importing costs nothing; commands and tests that name no device do not pay."""
    code = (
        "import sys, sessile.codecs.agent as agent; "
        "assert 'ua_parser' not in sys.modules; agent.recognise('curl/8'); "
        "assert 'ua_parser' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
