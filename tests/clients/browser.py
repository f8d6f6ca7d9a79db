# SPDX-License-Identifier: BSD-3-Clause
"""browser.py: a headless Chromium for tests, by its DevTools protocol on a pipe.

Nothing but the standard library: with --remote-debugging-pipe the browser reads messages, JSON with a
NUL behind each, from descriptor 3 and writes its own to 4.
"""
import base64
import json
import os
import select
import subprocess
import time

PATIENCE = int(os.environ.get("PATIENCE", "120"))  # seconds; a busy machine is no failure

KEYS = {  # name: (code, key code, text)
    "Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, ""),
    " ": ("Space", 32, " "), "End": ("End", 35, ""), "Home": ("Home", 36, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""), "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""), "ArrowDown": ("ArrowDown", 40, ""),
}


class Failure(Exception):
    """What was waited for did not come, or the browser refused."""


class Browser:
    """One browser with one page."""

    def __init__(self, program, folder):
        to_read, self.to = os.pipe()
        self.source, from_write = os.pipe()
        # Above 4 first, so that one is not put in the other's place.
        high = [os.dup2(end, 60 + i) for i, end in enumerate((to_read, from_write))]

        def place_ends():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.log = open(os.path.join(folder, "browser.log"), "wb")
        self.process = subprocess.Popen(
            [program, "--headless=new", "--remote-debugging-pipe",
             f"--user-data-dir={folder}/profile", "--no-first-run", "--no-default-browser-check",
             "--disable-background-networking", "--disable-sync", "--disable-component-update",
             "--disable-default-apps", "--disable-gpu", "--disable-dev-shm-usage",
             "--force-color-profile=srgb", "--no-proxy-server",
             "--no-sandbox",  # it needs namespaces that a container may not give
             "about:blank"],
            preexec_fn=place_ends, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        for end in (to_read, from_write, *high):
            os.close(end)
        self.number, self.rest, self.answers = 0, b"", {}
        self.session = None
        self.complaints = []  # of the page: errors, refusals by its policy
        self.asked = []  # the addresses that it asked for
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self):
        if self.process.poll() is None:
            try:
                self.session = None
                self.call("Browser.close")
            except (Failure, OSError):
                pass
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    # ---- the protocol ----

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while self.number not in self.answers:
            self._receive(end)
        answer = self.answers.pop(self.number)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def _receive(self, end):
        ready, _, _ = select.select([self.source], [], [], max(0, end - time.monotonic()))
        piece = os.read(self.source, 1 << 20) if ready else b""
        if not piece:
            raise Failure("the browser does not answer" if not ready else "the browser has ended")
        *messages, self.rest = (self.rest + piece).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self._hear(message["method"], message["params"])

    def _hear(self, method, about):
        if method == "Log.entryAdded":
            entry = about["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"])[:500])
        elif method == "Network.requestWillBeSent":
            self.asked.append(about["request"]["url"])

    # ---- the page ----

    def open(self, url):
        """Another page, not another place of this one."""
        self.call("Page.navigate", url="about:blank")
        self.until("location.href === 'about:blank' && document.readyState === 'complete'")
        self.call("Page.navigate", url=url)
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, expression):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure(f"{expression}: {json.dumps(result['exceptionDetails'])[:400]}")
        return result["result"].get("value")

    def until(self, expression, seconds=PATIENCE):
        """The value of an expression once it is true."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.run(expression)
            except Failure as failure:  # the page may just be another one
                value = None
                if time.monotonic() > end:
                    raise failure
            if value:
                return value
            if time.monotonic() > end:
                raise Failure(f"was not so: {expression}")
            time.sleep(0.05)

    def key(self, name, count=1, shift=False):
        code, number, text = KEYS[name]
        about = {"key": name, "code": code, "windowsVirtualKeyCode": number,
                 "modifiers": 8 if shift else 0}
        for _ in range(count):
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text,
                      **about)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def write(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        """Clicks as a mouse does, and as a hand: where the element has come to rest and nothing lies
        over it; and once more if it was gone from there when the click came."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            x, y = self.until(f"""(async () => {{
                const element = document.querySelector({json.dumps(selector)});
                const place = () => element.getBoundingClientRect();
                const painted = () => new Promise((resolve) =>
                    {{ requestAnimationFrame(resolve); setTimeout(resolve, 100); }});
                element?.scrollIntoView({{block: 'center', behavior: 'instant'}});
                if (!element || !place().width)
                    return false;
                const before = place();
                await painted();
                await painted();
                const box = place(), x = box.x + box.width / 2, y = box.y + box.height / 2;
                if (box.x !== before.x || box.y !== before.y || box.width !== before.width ||
                    !element.contains(document.elementFromPoint(x, y)))
                    return false;
                window.clickArrived = false;
                element.addEventListener('click', () => {{ window.clickArrived = true; }},
                                         {{capture: true, once: true}});
                return [x, y];
            }})()""")
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            if self.run("window.clickArrived"):
                return
        raise Failure(f"does not come to rest: {selector}")

    def shape(self, width=1280, height=900, dark=False, calm=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}])

    def picture(self, path, whole=False):
        size = {}
        if whole:
            metrics = self.call("Page.getLayoutMetrics")["cssContentSize"]
            size = {"clip": {**metrics, "scale": 1}, "captureBeyondViewport": True}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", **size)["data"]))

    def spoken(self):
        """(role, name) of all that a screen reader finds."""
        return [(node["role"]["value"], node.get("name", {}).get("value", ""))
                for node in self.call("Accessibility.getFullAXTree")["nodes"]
                if not node.get("ignored") and "role" in node]
