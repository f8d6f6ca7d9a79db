#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""page.py ROMSIM URL TOKEN PID FOLDER [PICTURES]: judges the page of the server with that PID.

Prints "ok TEXT" and "not ok TEXT", for clients.bash.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

from browser import PATIENCE, Browser, Failure
from verdict import check, has_passed, same

ROMSIM, URL, TOKEN, PID, FOLDER = sys.argv[1:6]
PICTURES = sys.argv[6] if len(sys.argv) > 6 else None

APP = rb"""trap 'echo bye; exit 3' TERM
echo '<img src=x onerror=window.pwned=1>'
printf '\033[31mred\033[0m \033]0;a title\007and plain\n'
printf 'progress 10%%\rprogress 100%%\n'
printf '\377\376 are no text\n'
echo 'hello from the ROM'
i=0
while :; do i=$((i + 1)); echo "tick $i"; sleep 0.3; done
"""
FILES = {
    "app.sh": APP,
    "<img src=x onerror=window.pwned=2>": b"<script>window.pwned=3</script>\n",
    "docs/deep/inner.txt": b"inner text\n",
    "docs/\u202egnp.exe": b"turned \xe2\x80\xae around\n",
    "long.txt": b"".join(b"line %05d\n" % i for i in range(10000)),
    "numbers.bin": bytes(range(256)) * 4,
}

def api(method, path, body=None):
    request = urllib.request.Request(URL + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {TOKEN}",
                                              "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def create(name, **more):
    files = [{"path": path, "data": base64.b64encode(data).decode(), "encoding": "base64"} for path, data in FILES.items()]
    item = api("POST", "/v1/instances", {
        "name": name, "image": "org/base:latest", "memory_mb": 128,
        "roms": [{"name": "app", "at": "/rom", "files": files},
                 {"name": "plain", "image": "org/rom2:latest"},
                 {"name": "inner", "at": "/rom/docs", "image": "org/rom1:latest"}][:3 if more else 1],
        **more})["data"]["instances"][0]
    return item["uuid"]


# ---- what is asked of the page ------------------------------------------------------------------

def there(selector):
    return f"!!document.querySelector({json.dumps(selector)})"


def text_of(selector):
    return f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"


def has(selector, text):
    return f"({text_of(selector)}).includes({json.dumps(text)})"


# What has the focus: its own name.
FOCUS = """(() => { const e = document.activeElement;
    return e.getAttribute('aria-label') ?? (e.innerText || e.id || e.tagName); })()"""

LOW_CONTRAST = """(() => {
    const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const color = numbers(getComputedStyle(element).backgroundColor);
            if (color.length === 3 || color[3] === 1)
                return color;
        }
        return [255, 255, 255];
    };
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility({checkOpacity: true}))
            continue;
        const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5)
            found.add(`${node.data.trim().slice(0, 30)} (${element.className}): ${ratio.toFixed(2)}`);
    }
    return [...found];
})()"""


class Judge:
    def __init__(self, browser):
        self.browser = browser

    def run(self, expression):
        return self.browser.run(expression)

    def until(self, expression, text, seconds=PATIENCE):
        try:
            self.browser.until(expression, seconds)
        except Failure as failure:
            check(False, text, str(failure), self.run("document.body.innerText"))
            return False
        check(True, text)
        return True

    def settled(self, expression, wanted):
        """Its value once that is the wanted one, or the last."""
        try:
            self.browser.until(f"JSON.stringify({expression}) === {json.dumps(json.dumps(wanted))}", 20)
        except Failure:
            pass
        return self.run(expression)

    def tab_to(self, name, shift=False):
        """Presses Tab until what has that name has the focus."""
        for _ in range(60):
            if self.run(FOCUS).split("\n")[0].strip() == name:
                return True
            self.browser.key("Tab", shift=shift)
        return False

    def picture(self, name):
        if PICTURES:
            os.makedirs(PICTURES, exist_ok=True)
            self.run("window.scrollTo(0, 0)")
            time.sleep(0.3)
            self.browser.picture(f"{PICTURES}/{name}.png", whole=True)

    def open(self, fragment=""):
        self.browser.open(f"{URL}/{fragment}")

    # ---- the subjects ----

    def signs_in(self):
        self.open()
        self.until(f"{there('#sign-in:not([hidden])')} && document.activeElement.id === 'token'",
                   "who has no token is asked for it, and can write at once")
        same(self.run("document.getElementById('sign-in-problem').textContent"), "",
             "which is nobody's mistake")
        self.picture("sign-in")
        self.browser.write("bm9uc2Vuc2U6eA==")
        self.browser.key("Enter")
        self.until(has("#sign-in-problem", "not the server"), "a wrong token is said to be wrong")
        same(self.run(f"[{there('#board[hidden]')}, document.activeElement.id, "
                      "document.getElementById('token').value]"), [True, "token", ""],
             "nothing is shown, and another can be written")
        self.browser.write(TOKEN)
        self.browser.key("Enter")
        self.until(f"{there('#board:not([hidden])')} && {has('#link', 'Live')}",
                   "the right one shows the instances")
        same(self.run("sessionStorage.length"), 1, "it is kept for this tab")
        check(TOKEN not in self.run("location.href + document.documentElement.outerHTML"),
              "and stands nowhere in the page")
        self.browser.click("#sign-out")
        self.until(there("#sign-in:not([hidden])"), "one can sign out")
        same(self.run("sessionStorage.length"), 0, "then it is forgotten")
        self.open(f"#token={TOKEN}")
        self.until(there("#board:not([hidden])"), "a token in the address is taken")
        same(self.run("location.href"), f"{URL}/", "and is not in the address any more")

    def teaches(self):
        self.until(has("#detail", "No instance yet"), "without an instance the page says how to make one")
        self.picture("empty")
        command = self.run("document.querySelectorAll('.command code')[1].textContent")
        check(f"curl {URL}/v1/instances" in command, "by a request to this server", command)
        command = "\n".join(line for line in command.split("\n") if not line.startswith("eval "))
        made = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "UKC_TOKEN": TOKEN}, check=False)
        check('"status":"success"' in made.stdout, "which works as it stands there", made.stdout,
              made.stderr)
        self.until(has("#instances", "first"), "the instance appears by itself")
        self.browser.click("#instances a")
        self.until(has(".screen", "hello"), "and its console says what its ROM has")
        self.until(has("#detail .badge", "stopped"), "its end is shown")
        check("exit status 0" in self.run(text_of("#detail .facts")), "with its exit status")
        uuid = self.run("location.hash").split("/")[-1]
        api("DELETE", f"/v1/instances/{uuid}")
        self.until(f"{has('#detail', 'This instance is gone')} && !{has('#instances', 'first')}",
                   "who looks at one that is deleted elsewhere is told")
        self.run("history.back()")

    def shows(self, uuid):
        self.until(has("#instances", "judged"), "an instance that is made appears by itself")
        self.browser.click("#instances a")
        self.until(f"location.hash === '#/instances/{uuid}'", "what is shown is in the address")
        self.until(has("#detail .badge", "running"), "its state is, while it changes")
        self.until(has(".screen", "hello from the ROM"), "its console is")
        ticks = "(document.querySelector('.screen').textContent.match(/tick \\d+/g) ?? []).length"
        before = self.run(ticks)
        self.until(f"{ticks} > {before + 2}", "and goes on")
        screen = self.run("document.querySelector('.screen').textContent")
        check("<img src=x onerror=window.pwned=1>" in screen, "what it says is text")
        check("red and plain" in screen and "\x1b" not in screen and "a title" not in screen,
              "without what a terminal would obey", screen)
        check("progress 100%" in screen and "progress 10%" not in screen, "written over as there", screen)
        check("\ufffd\ufffd are no text" in screen, "what is no text has signs for it", screen)

    def plans(self):
        self.until("document.querySelectorAll('.mount').length === 3", "the plan is there")
        same(self.run("[...document.querySelectorAll('.mount-head')].map((e) => e.innerText"
                      ".replace(/\\s+/g, ' ').replace(/ \u00b7.*/, ''))"),
             ["Step 1 / /dev/ukp_rom0", "Step 2 /rom /dev/ukp_rom1",
              "Step 3 /rom/docs /dev/ukp_rom3"],
             "with the mounts in their order")
        same(self.run("document.querySelector('.mount .mount .mount .path').textContent"), "/rom/docs",
             "each in the one that it is in")
        same(self.run("[...document.querySelectorAll('.device .title')].map((e) => e.textContent)"),
             ["root image", "app", "plain", "inner"], "all devices")
        self.until("document.querySelectorAll('.lines path').length === 3", "and lines between them")
        check("not mounted" in self.run("document.querySelectorAll('.device')[2].innerText"),
              "one is not mounted, and that is said")
        check("/bin/sh /rom/app.sh" in self.run(text_of(".plan-board .app")), "and what the app is")

    def file(self, name, size):
        """What is in a file, once it has that size."""
        path, end = f"{FOLDER}/{name}", time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if os.path.exists(path) and os.path.getsize(path) == size:
                with open(path, "rb") as file:
                    return file.read()
            time.sleep(0.05)
        return None

    def card(self, title):
        return ("[...document.querySelectorAll('.image')].find((card) => "
                f"card.querySelector('h4').textContent === '{title}')")

    def looks_inside(self):
        """By the keyboard alone."""
        card = self.card("app")
        facts = self.run(f"{card}.innerText.replace(/\\s+/g, ' ')")
        check("/dev/ukp_rom1 /dev/ukp_rom_app" in facts and "at /rom" in facts and "6 files" in facts,
              "a ROM has its devices, its place, its files", facts)
        self.until(f"/SHA-256\\s+[0-9a-f]{{12}}/.test({card}.innerText)", "and its digest")
        self.run(f"{card}.querySelector('h4').scrollIntoView()")
        self.run(f"{card}.querySelector('button[aria-expanded]').focus()")
        self.browser.key("Enter")
        self.until(f"{card}.querySelectorAll('[role=treeitem]').length === 5", "its files can be seen")
        names = self.run(f"[...{card}.querySelectorAll('.tree .name')].map((e) => e.textContent)")
        same(names, ["<img src=x onerror=window.pwned=2>", "app.sh", "docs", "long.txt", "numbers.bin"],
             "in the image's order, names being text")
        for _ in range(3):
            if self.run("document.activeElement.getAttribute('role')") != "treeitem":
                self.browser.key("Tab")
        same(self.run("document.activeElement.getAttribute('role')"), "treeitem", "Tab leads to them")
        self.browser.key("Enter")
        self.until(f"{card}.querySelector('.content')?.textContent === "
                   "'<script>window.pwned=3</script>\\n'", "Enter opens one, and it is text")
        self.browser.key("ArrowDown", 2)
        self.browser.key("ArrowRight")
        self.until(f"[...{card}.querySelectorAll('.tree .name')].some((e) => e.textContent === 'deep')",
                   "an arrow opens a directory")
        self.browser.key("ArrowRight")
        self.browser.key("ArrowRight")
        self.until(f"[...{card}.querySelectorAll('.tree .name')].some((e) => "
                   "e.textContent === 'inner.txt')", "and one in it")
        self.browser.key("ArrowRight")
        self.browser.key(" ")
        self.until(f"{card}.querySelector('.content')?.textContent === 'inner text\\n'",
                   "a file in it can be read")
        self.browser.key("ArrowLeft")
        self.browser.key("ArrowLeft")
        self.browser.key("ArrowDown")
        self.browser.key("Enter")
        self.until(f"{card}.querySelector('.content')?.textContent === 'turned \u27e8U+202e\u27e9 around\\n'",
                   "what turns text around is a sign in a file")
        check("\u202e" not in self.run("document.body.innerText"), "and in its name")
        self.picture("detail-file")
        self.browser.key("End")
        self.browser.key("Enter")
        self.until(f"{card}.querySelector('.content')?.classList.contains('hex')",
                   "a file of bytes is shown as such")
        same(self.run(f"{card}.querySelector('.content').textContent.split('\\n')[4]"),
             "00000020  20 21 22 23 24 25 26 27   !\"#$%&'", "as many in a row as there is room for")
        self.browser.key("ArrowUp")
        self.browser.key("Enter")
        self.until(f"{card}.querySelector('.content')?.textContent.startsWith('line 00000\\n')",
                   "a long one is shown from its beginning")
        length = f"{card}.querySelector('.content').textContent.length"
        same(self.run(length), 65536, "a piece of it")
        self.run(f"[...{card}.querySelectorAll('.preview button')].find((b) => "
                 "b.textContent === 'Show more').click()")
        self.until(f"{length} === 110000", "and more when that is asked for")
        os.makedirs(f"{FOLDER}/saved", exist_ok=True)
        self.browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=f"{FOLDER}/saved")
        self.run(f"[...{card}.querySelectorAll('.preview button')].find((b) => "
                 "b.textContent === 'Save').click()")
        same(self.file("saved/long.txt", len(FILES["long.txt"])), FILES["long.txt"], "it can be saved")
        same(self.run("window.pwned ?? null"), None, "nothing of all that was run")
        same(self.run("document.images.length"), 1, "nor taken for a picture")

    def acts(self):
        """By the keyboard alone."""
        self.run("window.scrollTo(0, 0); document.getElementById('skip').focus()")
        self.browser.key("Enter")
        same(self.run("document.activeElement.id"), "detail-title", "a key leads to the instance")
        check(self.tab_to("Stop"), "then Tab to its buttons")
        self.browser.key("Enter")
        self.until(has("#detail .badge", "stopped (3)"), "one stops it")
        self.until(has(".screen", "bye"), "as the app likes to be")
        same(self.run(FOCUS).split("\n")[0], "Stop", "the focus stays where it was")
        check("exit status 3" in self.run(text_of("#detail .facts")), "what it ended with is shown")
        self.browser.key("Enter")
        self.browser.key("Tab", shift=True)
        same(self.run(FOCUS).split("\n")[0], "Start", "another starts it")
        self.browser.key(" ")
        self.until(has("#detail .badge", "running"), "again")
        self.until("(document.querySelector('.screen').textContent.match(/hello from the ROM/g) ?? [])"
                   ".length === 2", "the console goes on behind what was there")
        same(self.run(text_of("#detail > .problem")), "", "nothing went wrong")

    def deletes(self):
        check(self.tab_to("Delete"), "a third deletes it")
        self.browser.key("Enter")
        self.until("document.getElementById('confirm').open", "if that is meant")
        same(self.run(FOCUS).split("\n")[0], "Keep it", "which is not what a second Enter says")
        self.picture("question")
        self.browser.key("Escape")
        self.until("!document.getElementById('confirm').open", "Escape keeps it")
        self.browser.until(f"!{there('#detail [aria-busy]')}")
        same(self.run(FOCUS).split("\n")[0], "Delete", "and leads back")
        same(len(api("GET", "/v1/instances")["data"]["instances"]), 1, "it is there")
        self.browser.key("Enter")
        self.until("document.getElementById('confirm').open", "asked again")
        self.browser.key("Tab")
        self.browser.key("Enter")
        self.until(f"{has('#detail', 'This instance is gone')} && "
                   "document.querySelectorAll('#instances a').length === 0", "it is gone")
        same(self.run("document.activeElement.id"), "detail-title", "and the focus where that is said")
        same(api("GET", "/v1/instances")["data"]["instances"], [], "for all")

    def refused(self):
        """What the server says no to is said."""
        self.run("""(() => { const real = window.fetch; window.realFetch = real;
            window.fetch = (path, options) => options.method === 'PUT'
                ? real('v1/instances/00000000-0000-4000-8000-000000000000/stop', options)
                : real(path, options); })()""")
        self.browser.click("#detail .actions button:nth-of-type(2)")
        self.until(f"({text_of('#detail > .problem')}).length > 5", "what the server refuses is said")
        self.run("window.fetch = window.realFetch")

    def fits(self, place):
        for width in (320, 640, 1280):
            for dark in (False, True):
                self.browser.shape(width, 900, dark, calm=True)
                name = f"{place} at {width}{', dark' if dark else ''}"
                self.until("document.documentElement.scrollWidth <= innerWidth && "
                           f"innerWidth === {width}", f"{name}: nothing is wider than the window")
                same(self.settled(LOW_CONTRAST, []), [], f"{name}: all can be read")
                self.picture(name.replace(", ", "-").replace(" ", "-"))
        same(self.run("document.getAnimations().length"), 0, f"{place}: nothing moves if that is asked for")
        self.browser.shape()
        nameless = [role for role, name in self.browser.spoken()
                    if role in ("button", "link", "textbox", "treeitem", "tree", "heading", "dialog")
                    and not name.strip()]
        same(nameless, [], f"{place}: all that can be used has a name")

    def floods(self):
        """More than can be shown: what is kept is bounded, and the buttons work."""
        text = "document.querySelector('.screen').textContent"
        self.until(f"{text}.length > 200000", "a flood is shown")
        for _ in range(20):
            time.sleep(0.1)
            size = self.run(f"{text}.length")
            if size > 1 << 20:
                break
        check(size <= 1 << 20, "as far as it is worth it", size)
        check("\x1b" not in self.run(text), "in its colours, which are left out")
        self.browser.click("#detail .actions button:nth-of-type(2)")
        self.until(has("#detail .badge", "stop"), "and can be stopped")
        self.browser.click("#detail .actions button:nth-of-type(3)")
        self.browser.click("#confirm-yes")
        self.until(has("#detail", "This instance is gone"), "and deleted")

    def rests(self, uuid):
        """Nobody sees the tab: others need the browser's few connections to the server."""
        self.run("Object.defineProperty(document, 'hidden', {get: () => window.unseen, configurable: true});"
                 "window.unseen = true; document.dispatchEvent(new Event('visibilitychange'))")
        self.until(has("#link", "Paused"), "a tab that nobody sees rests")
        before = len(self.browser.asked)
        api("PUT", f"/v1/instances/{uuid}/stop", {})
        api("GET", f"/v1/instances/{uuid}/wait?state=stopped&timeout_s=60")
        time.sleep(1)
        check(not self.run(has("#detail .badge", "stop")), "and does not follow")
        self.run("window.unseen = false; document.dispatchEvent(new Event('visibilitychange'))")
        self.until(has("#detail .badge", "stopped"), "one that is looked at again does")
        self.until(has(".screen", "bye"), "its console, too")
        # A busy machine may have to ask for one again.
        same(sorted({asked.split("/")[-1].split("?")[0] for asked in self.browser.asked[before:]}),
             ["console", "events"], "by two streams")
        api("PUT", f"/v1/instances/{uuid}/start", {})

    def survives(self):
        """The server goes, and another comes to the same address."""
        os.kill(int(PID), signal.SIGTERM)
        self.until(f"{has('#link', 'No connection')} && {there('#try-now:not([hidden])')}",
                   "a lost connection is shown")
        check(self.run(has("#instances", "judged")), "with what was known last")
        self.until("document.querySelector('.panel-head .fine').textContent === 'No connection'",
                   "the console says so, too")
        port = URL.rsplit(":", 1)[1]
        server = subprocess.Popen([ROMSIM, "serve", "--org", "org", "--listen", f"127.0.0.1:{port}"],
                                  stdout=subprocess.DEVNULL)
        try:
            self.until(has("#link", "Live"), "and when there is a server again, it is back")
            self.until("document.querySelector('.panel-head .fine').textContent === 'Live'",
                       "so is the console")
            ticks = "(document.querySelector('.screen').textContent.match(/tick \\d+/g) ?? []).length"
            before = self.run(ticks)
            self.until(f"{ticks} > {before + 2}", "which goes on")
            self.until(has("#detail .badge", "running"), "the instance has not noticed")
        finally:
            api("DELETE", f"/v1/instances/{self.run('location.hash').split('/')[-1]}")
            server.terminate()
            same(server.wait(60), 0, "that server ends well")


def main():
    browser = Browser("chromium", FOLDER)
    judge = Judge(browser)
    try:
        browser.shape()
        judge.signs_in()
        judge.fits("the list")
        judge.teaches()
        same(browser.complaints[2:], [], "the browser complains of nothing but the two 401s")
        uuid = create("judged", autostart=True, env={"<b>": "</dd><b>bold"})
        judge.shows(uuid)
        judge.plans()
        judge.looks_inside()
        judge.fits("an instance")
        judge.acts()
        judge.refused()
        judge.deletes()
        uuid = create("flood", autostart=True, args=["/bin/sh", "-c",
                      "exec yes \"$(printf '\\033[32m%080d\\033[0m and text' 7)\""])
        judge.open(f"#/instances/{uuid}")
        judge.floods()
        uuid = create("judged2", autostart=True)
        judge.open(f"#/instances/{uuid}")
        judge.until(f"{has('#detail h2', 'judged2')} && {has('.screen', 'tick 2')}",
                    "an address with an instance shows it")
        judge.rests(uuid)
        judge.survives()
        strange = {asked for asked in browser.asked
                   if not asked.startswith((f"{URL}/", "blob:", "about:", "data:"))}
        same(strange, set(), "no other machine was asked for anything")
        policy = [line for line in browser.complaints if "Content Security" in line or "TypeError" in line]
        same(policy, [], "and nothing was tried that the policy forbids")
    except Failure as failure:
        check(False, f"the browser does what it is told: {failure}")
    finally:
        browser.close()
    sys.exit(0 if has_passed() else 1)


main()
