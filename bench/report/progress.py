"""Where a run is: a bar on a terminal, now and then a line elsewhere.

A suite says plan(steps) once and step(what) before each thing it measures; what
it prints meanwhile goes above the bar. A suite that says neither is shown by the
time that it is known to take.
"""

import os
import sys
import threading
import time

LINE_EVERY_S = 15  # where there is no terminal
BAR_CELLS = 24


def duration_text(seconds):
    seconds = max(0, round(seconds))
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
    return f"{seconds // 60}:{seconds % 60:02}"


class Progress:
    """All suites of a run; expected_s: [(suite, seconds that it should take)]."""

    def __init__(self, expected_s, clock=time.monotonic):
        self.expected_s = dict(expected_s)
        self.clock = clock
        self.finished_s = {}  # suite: what it took
        self.suite = ""
        self.begun = clock()
        self.what = ""
        self.steps = self.done = 0

    def begin(self, suite):
        self.suite, self.begun = suite, self.clock()
        self.what, self.steps, self.done = "", 0, 0

    def end(self):
        self.finished_s[self.suite] = self.clock() - self.begun
        self.suite = ""

    def plan(self, steps):
        self.steps = steps

    def step(self, what):
        """Something begins to be measured: what was before is done."""
        if self.what:
            self.done += 1
        self.what = what

    def pace(self):
        """How much longer everything takes than expected, so far."""
        expected = sum(self.expected_s[suite] for suite in self.finished_s)
        return sum(self.finished_s.values()) / expected if expected else 1.0

    def left_in_suite_s(self):
        if not self.suite:
            return 0.0
        spent = self.clock() - self.begun
        if self.steps and self.done:
            return spent * max(0, self.steps - self.done) / self.done
        return max(0.0, self.expected_s[self.suite] * self.pace() - spent)

    def left_s(self):
        waiting = sum(seconds for suite, seconds in self.expected_s.items()
                      if suite not in self.finished_s and suite != self.suite)
        return waiting * self.pace() + self.left_in_suite_s()

    def share(self):
        spent = sum(self.finished_s.values())
        if self.suite:
            spent += self.clock() - self.begun
        return spent / (spent + self.left_s()) if spent else 0.0

    def is_late(self):
        """Does the suite take longer than can be guessed?"""
        return bool(self.suite) and self.left_in_suite_s() == 0

    def text(self):
        what = ": ".join(filter(None, (self.suite, self.what)))
        late = " + what is late" if self.is_late() else ""
        return (f"{min(0.99, self.share()):4.0%}  "
                f"{duration_text(self.left_s())}{late} left  {what}")


class Nowhere:
    """What a suite talks to when nobody watches."""

    def plan(self, steps):
        pass

    def step(self, what):
        pass


current = Nowhere()  # that of the run, as run.py sets it


class Screen:
    """Shows a Progress while it is entered. On a terminal standard output is
    wrapped meanwhile, so that what is printed does not run into the bar."""

    def __init__(self, progress, stream=None):
        self.progress = progress
        self.stream = stream or sys.stdout
        self.is_terminal = self.stream.isatty()
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.shown = False
        self.said_at = progress.clock()

    def __enter__(self):
        if self.is_terminal:
            self.real, sys.stdout = sys.stdout, self
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        if self.is_terminal:
            with self.lock:
                self.wipe()
            sys.stdout = self.real

    def run(self):
        while not self.ended.wait(0.5 if self.is_terminal else 1):
            with self.lock:
                if self.is_terminal:
                    self.draw()
                else:
                    self.say()

    def say(self):
        now = self.progress.clock()
        if now - self.said_at >= LINE_EVERY_S:
            self.said_at = now
            self.stream.write(f"  [{self.progress.text()}]\n")
            self.stream.flush()

    def bar(self, columns):
        filled = int(min(0.99, self.progress.share()) * BAR_CELLS)
        line = "[" + "#" * filled + "." * (BAR_CELLS - filled) + "] "
        return (line + self.progress.text())[:columns - 1]

    def draw(self):
        try:
            columns = os.get_terminal_size(self.stream.fileno()).columns
        except OSError:
            columns = 80
        self.stream.write("\r\x1b[K" + self.bar(columns))
        self.stream.flush()
        self.shown = True

    def wipe(self):
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.shown = False

    # What is printed while the bar is there.
    def write(self, text):
        with self.lock:
            self.wipe()
            return self.stream.write(text)

    def flush(self):
        self.stream.flush()

    def isatty(self):
        return self.is_terminal

    def fileno(self):
        return self.stream.fileno()


