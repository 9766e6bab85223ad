"""Runs the programs of pairs in turns, and keeps what they answer."""

import json
import os
import subprocess
import sys

QUICK_SIZES = [64, 4096]
TRIES = 2  # when the floor moved meanwhile


class Measurement:
    """Everything that one suite has measured: rows, and how to get more."""

    def __init__(self, command, programs, variants, options, with_corosync):
        self.command = command    # "latency", "stream" or "copy"
        self.directory = programs / "peers"
        self.library = programs.parent / "cpg"
        self.variants = variants
        self.options = options
        self.with_corosync = with_corosync  # the words that start one; or none
        self.rows = {}  # (peer, wait, length_bytes, touched): row
        self.failed = {}  # (peer, wait): why

    def sizes(self, variant):
        sizes = QUICK_SIZES if self.options.quick else variant.sizes()
        return [size for size in sizes if size <= variant.largest_bytes]

    def touches(self):
        only_one = self.options.quick or self.command == "copy"
        return ["yes"] if only_one else ["yes", "no"]

    def rounds(self):
        return self.options.rounds or (1 if self.options.quick else 5)

    def environment(self, variant):
        facts = dict(os.environ)
        if variant.is_cpg_v1 and not variant.on_corosync:
            facts["LD_LIBRARY_PATH"] = str(self.library)
        return facts

    def call(self, variant, sizes, touches):
        """The rows of one run: each a repetition of one size."""
        command = [*(self.with_corosync if variant.on_corosync else ()),
                   self.directory / variant.program, self.command, "--json",
                   f"--peer={variant.argument}", f"--wait={variant.wait}",
                   "--bytes=" + ",".join(map(str, sizes)),
                   "--touch=" + ("both" if len(touches) == 2 else touches[0]),
                   f"--cpus={self.options.cpus}",
                   f"--duration-ms={20 if self.options.quick else 200}"]
        done = subprocess.run(list(map(str, command)), text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(variant))
        # Some transports' libraries speak on it, too.
        found = [json.loads(line) for line in done.stdout.splitlines()
                 if line.startswith("{")]
        if done.returncode != 0:
            words = done.stderr.strip().splitlines()[-1:] or ["no word"]
            self.failed[variant.peer, variant.wait] = words[0]
            print(f"  {variant.peer}: failed: {words[0]}", file=sys.stderr,
                  flush=True)
        return found

    def keep(self, variant, row, number):
        parameters = row["parameters"]
        key = (variant.peer, variant.wait, parameters["length_bytes"],
               parameters["touched"])
        row["peer"] = variant.peer
        repetitions = row.pop("repetitions")
        kept = self.rows.setdefault(key, row | {"repetitions": []})
        # Repetition k is of round k, whatever failed in between.
        while len(kept["repetitions"]) < number:
            kept["repetitions"].append({"kept": False})
        if len(kept["repetitions"]) == number:
            kept["repetitions"].append(repetitions[0])
        else:
            kept["repetitions"][number] = repetitions[0]

    def has_failed(self, variant):
        return (variant.peer, variant.wait) in self.failed

    def is_kept(self, variant, size, touch, number):
        row = self.rows.get((variant.peer, variant.wait, size, touch == "yes"))
        return bool(row) and row["repetitions"][number]["kept"]

    def measure(self, variant, size, touch, number):
        for _ in range(1 if self.options.quick else TRIES):
            if self.has_failed(variant):
                return
            for row in self.call(variant, [size], [touch]):
                self.keep(variant, row, number)
            if self.is_kept(variant, size, touch, number):
                return

    def cells(self):
        """(wait, size, touch) in order; all variants of one take turns."""
        sizes = sorted({size for variant in self.variants
                        for size in self.sizes(variant)})
        return [(wait, size, touch) for size in sizes
                for touch in self.touches() for wait in ("busy", "sleep")]

    def step(self, what):
        progress = getattr(self.options, "progress", None)
        if progress:
            progress.step(what)

    def run_round(self, number):
        order = self.variants if number % 2 == 0 else self.variants[::-1]
        here = [variant for variant in order if not variant.on_corosync]
        for wait, size, touch in self.cells():
            self.step(f"round {number + 1}, {wait}, {size} B")
            for variant in here:
                if variant.wait == wait and size in self.sizes(variant):
                    self.measure(variant, size, touch, number)
        # A Corosync of its own is started for each of these, so all sizes go
        # at once.
        for variant in order:
            if variant.on_corosync and not self.has_failed(variant):
                self.step(f"round {number + 1}, {variant.peer}")
                for row in self.call(variant, self.sizes(variant),
                                     self.touches()):
                    self.keep(variant, row, number)

    def run(self):
        progress = getattr(self.options, "progress", None)
        if progress:
            corosync = sum(v.on_corosync for v in self.variants)
            progress.plan(self.rounds() * (len(self.cells()) + corosync))
        for number in range(self.rounds()):
            self.run_round(number)
            print(f"  round {number + 1} of {self.rounds()} done, load "
                  f"{os.getloadavg()[0]:.1f}", flush=True)
        return self
