#!/usr/bin/env python3
"""site.py SITE: the documentation as a site: its links, and every page in a browser with a wide and a narrow window, in TAP.

site.py SITE FOLDER [PAGE...]: only draws these pages, or all, in both windows, into FOLDER, to be looked at.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import functools
import glob
import html.parser
import http.server
import os
import sys
import threading
import urllib.parse

import browserlib

WIDE, NARROW = 1400, 400
# Words that somebody looks for, and pages that must be among those found.
SEARCHES = {"trust": {"formatdomain.html", "drivers.html"},
            "VLAN": {"formatdomain.html", "kbase/dual-port-vf.html", "drivers.html"},
            "apparmor": {"kbase/install.html"}}
# What sticks out of the window to the right without being in something that scrolls by itself.
OUTSIDE = """[...document.querySelectorAll('[role=main] *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&
  !function scrolls(up) { return up && (['auto', 'scroll'].includes(getComputedStyle(up).overflowX) || scrolls(up.parentElement)); }
  (e.parentElement)).map(e => e.outerHTML.slice(0, 60))"""
FOUND = "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href').replace(/[?#].*/, ''))"
IS_DONE = "/found|did not match/.test(document.querySelector('#search-results p.search-summary')?.textContent) && " \
          "!document.querySelector('#search-results')?.textContent.includes('Searching')"
count = bad = 0


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


class Page(html.parser.HTMLParser):
    """What a page links to, and the names that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], {""}
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.names.add(attrs.get("id"))
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name) and name in attrs]


def is_address(link):
    """Might this lead to another site? That there is one would take a network to find out."""
    parts = urllib.parse.urlsplit(link)
    return parts.scheme in ("https", "http") and "." in parts.netloc and link.isascii() and " " not in link


def lead_nowhere(site, pages):
    """The links for which there is no file, or no such name in it."""
    read = {page: Page(os.path.join(site, page)) for page in pages}
    for page in pages:
        for link in read[page].links:
            if ":" in link.split("/")[0] or link.startswith("/"):
                if not is_address(link):
                    yield f"{page}: {link}"
                continue
            path, _, name = urllib.parse.unquote(link).partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(os.path.join(site, target)) or target in read and name not in read[target].names:
                yield f"{page}: {link}"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve(site):
    """Its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def look_at(browser, base, page):
    """Loads a page once, and makes the window narrower then, as a reader can."""
    browser.resize(WIDE)
    browser.open(base + page)
    for width in (WIDE, NARROW):
        browser.resize(width)
        scrolls = browser.run("document.scrollingElement.scrollWidth > innerWidth")
        check(f"{page}, {width} pixels", (scrolls, browser.run(OUTSIDE), browser.problems), (False, [], []))


def search(browser, base, word, wanted):
    """Types a word into the field that each page has."""
    browser.resize(WIDE)
    browser.open(base + "index.html")
    browser.events.clear()
    browser.run(f"document.querySelector('input[name=q]').value = '{word}'; document.querySelector('#rtd-search-form').submit()")
    while "Page.loadEventFired" not in browser.events:
        browser.receive()
    browser.wait(IS_DONE)
    kind = base.split(":")[0]
    check(f"{kind}: a search for {word}", sorted(wanted - set(browser.run(FOUND))), [])
    check("without errors", browser.problems, [])
    lines = "document.querySelectorAll('#search-results li .context').length"
    check("with the lines around it", bool(browser.wait(lines) if kind == "http" else browser.run(lines)), kind == "http")


def test(site, pages):
    check("many pages", len(pages) > 20, True)
    check("every link leads somewhere", list(lead_nowhere(site, pages)), [])
    browser = browserlib.Browser()
    try:
        base = serve(site)
        for page in pages:
            look_at(browser, base, page)
        here = f"file://{urllib.parse.quote(os.path.abspath(site))}/"
        for word, wanted in SEARCHES.items():
            search(browser, base, word, wanted)
        search(browser, here, "trust", SEARCHES["trust"])
        check("nothing is fetched from elsewhere",
              [address for address in browser.requests if not address.startswith((base, here, "data:"))], [])
    finally:
        browser.close()
    print(f"1..{count}")
    sys.exit(bad > 0)


def draw(site, folder, pages):
    os.makedirs(folder, exist_ok=True)
    browser = browserlib.Browser()
    for page in pages:
        for width in (WIDE, NARROW):
            browser.resize(width, 1100)
            browser.open(f"file://{os.path.abspath(site)}/{page}")
            browser.picture(os.path.join(folder, f"{page.replace('/', '-').removesuffix('.html')}-{width}.png"))
    browser.close()


def main(site, folder=None, *only):
    pages = sorted(os.path.relpath(path, site) for path in glob.glob(os.path.join(site, "**", "*.html"), recursive=True))
    if folder:
        draw(site, folder, only or pages)
    elif browserlib.find():
        test(site, pages)
    else:
        print("1..0 # SKIP there is no chromium-headless-shell or chromium")


main(*sys.argv[1:])
