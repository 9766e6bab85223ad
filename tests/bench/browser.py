"""A headless Chromium, asked by the DevTools protocol over a pair of pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
WATCHDOG_S = 600  # for an answer; a machine at work may take minutes
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu",
           "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
           "--disable-background-networking", "--disable-component-update",
           "--disable-default-apps", "--disable-extensions", "--disable-sync",
           "--remote-debugging-pipe")


def starts(program):
    """Some machines have a program that only says how to install another."""
    try:
        return subprocess.run([program, "--version"], check=False,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


class BrowserGone(Exception):
    pass


def find():
    """The program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self, program, profile):
        """profile: a directory of its own."""
        theirs_in, self.outgoing = os.pipe()
        self.incoming, theirs_out = os.pipe()

        def pipes_at_3_and_4():
            # By way of high numbers, as any of them may be 3 or 4.
            for number, pipe in ((30, theirs_in), (40, theirs_out)):
                os.dup2(pipe, number)
            os.dup2(30, 3)
            os.dup2(40, 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, close_fds=False, start_new_session=True,
            preexec_fn=pipes_at_3_and_4)
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer = b""
        self.number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.process.wait(WATCHDOG_S)
        except (BrowserGone, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.outgoing)
        os.close(self.incoming)

    def receive(self, until):
        """The next message; until: of time.monotonic()."""
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.incoming], [], [], left)[0]:
                raise BrowserGone("no answer from Chromium")
            data = os.read(self.incoming, 1 << 20)
            if not data:
                raise BrowserGone("Chromium ended")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.outgoing, data):]
        until = time.monotonic() + WATCHDOG_S
        while True:
            message = self.receive(until)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait_for(self, method, session):
        until = time.monotonic() + WATCHDOG_S
        while not any(event.get("method") == method
                      and event.get("sessionId") == session
                      for event in self.events):
            self.events.append(self.receive(until))


class Page:
    """A tab at an address, loaded; its events are those since before it was."""

    def __init__(self, browser, url, width=1300, height=1000):
        self.browser = browser
        target = browser.call("Target.createTarget",
                              url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target,
                                    flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=False)
        self.begun = len(browser.events)
        self.url = url
        self.call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired", self.session)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression):
        """What a JavaScript expression gives, as JSON would have it."""
        result = self.call("Runtime.evaluate", expression=expression,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{result['exceptionDetails']}")
        return result["result"].get("value")

    def events(self, method):
        return [event["params"] for event in self.browser.events[self.begun:]
                if event.get("method") == method
                and event.get("sessionId") == self.session]

    def complaints(self):
        """What went to the console, and exceptions that nobody caught."""
        return ([entry["entry"]["text"] for entry in
                 self.events("Log.entryAdded")] +
                [str([one.get("value", one.get("description"))
                      for one in entry["args"]])
                 for entry in self.events("Runtime.consoleAPICalled")] +
                [entry["exceptionDetails"]["text"] for entry in
                 self.events("Runtime.exceptionThrown")])

    def requests(self):
        """All addresses that were asked for, but for its own."""
        return [entry["request"]["url"] for entry in
                self.events("Network.requestWillBeSent")
                if entry["request"]["url"] != self.url]

    def dark(self, on):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if on else "light"}])

    def screenshot(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png",
                         captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
