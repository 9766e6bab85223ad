"""Cache lines that a message touches, from a trace of every address.

Valgrind's tool lackey prints each load, store and modification; the program
marks in the trace what it is about, and says which memory is what.
"""

import bisect
import collections
import re

LINE_BYTES = 64
PHASES = {1: "send", 2: "receive own", 3: "receive"}
ACCESS = re.compile(r" ([LSM]) ([0-9a-f]+),(\d+)$", re.I)


class Places:
    """Which memory is what: the file that places.h describes."""

    def __init__(self, path, length_bytes):
        named, mapped = [], []
        into = named
        for row in path.read_text(encoding="utf-8").splitlines():
            if row == "maps":
                into = mapped
            elif into is named:
                start, size, name = row.split(maxsplit=2)
                start = int(start, 16)
                named.append((start, start + int(size, 16), name))
            else:
                words = row.split(maxsplit=5)
                start, end = (int(word, 16) for word in words[0].split("-"))
                name = words[5] if len(words) > 5 else ""
                mapped.append((start, end, self._of_mapping(name)))
        self.marks = {start: int(name.split()[1])
                      for start, _, name in named if name.startswith("mark ")}
        self._named, self._mapped = sorted(named), sorted(mapped)
        # Header and payload are in one buffer; buffers of up to 256 bytes are
        # cut from granules of 64 KiB, one after the other.
        self._buffer_lines = 1 + -(-length_bytes // LINE_BYTES)
        self._kept = {}

    @staticmethod
    def _of_mapping(name):
        if name == "[heap]":
            return "heap"
        if name == "[stack]":
            return "stack"
        return "private tables" if name in ("", "/dev/zero") else "globals"

    @staticmethod
    def _find(table, address):
        index = bisect.bisect_right(table, (address, float("inf"), "")) - 1
        if index >= 0 and table[index][0] <= address < table[index][1]:
            return table[index]
        return None

    def name_of(self, address):
        """The name of the line that the address is in."""
        line = address // LINE_BYTES
        if line not in self._kept:
            self._kept[line] = self._name(address)
        return self._kept[line]

    def _name(self, address):
        place = self._find(self._named, address)
        if place is None:
            place = self._find(self._mapped, address)
        if place is None:
            return "stack"  # valgrind's client has its own
        start, _, name = place
        if name != "shared data":
            return name
        index = (address - start) % 65536 // LINE_BYTES % self._buffer_lines
        return "shared header" if index == 0 else "shared payload"


class Profile:
    """Of one phase: how many lines of each place a message touches."""

    def __init__(self):
        self.messages = 0
        self.touched = collections.Counter()
        self.written = collections.Counter()
        self.accesses = 0

    def add(self, touched, written, places, accesses):
        self.messages += 1
        self.accesses += accesses
        self.touched.update(places.name_of(line * LINE_BYTES)
                            for line in touched)
        self.written.update(places.name_of(line * LINE_BYTES)
                            for line in written)

    def rows(self):
        """[(place, lines touched, lines written)] per message."""
        return [(name, count / self.messages,
                 self.written[name] / self.messages)
                for name, count in sorted(self.touched.items())]


def tool(directory):
    return ["valgrind", "--tool=lackey", "--trace-mem=yes",
            "--basic-counts=no", f"--log-file={directory}/trace"]


def read_profiles(trace, places, skip):
    """{phase: Profile} of a trace, without its first `skip` messages."""
    profiles = collections.defaultdict(Profile)
    seen = collections.Counter()
    phase, accesses = 0, 0
    touched, written = set(), set()
    with trace.open(encoding="ascii", errors="replace") as rows:
        for row in rows:
            if row[0] != " ":  # an instruction
                continue
            match = ACCESS.match(row)
            if not match:
                continue
            kind, address, size = match.groups()
            address = int(address, 16)
            if address in places.marks and kind != "L":
                if phase in PHASES:
                    seen[phase] += 1
                    if seen[phase] > skip:
                        profiles[PHASES[phase]].add(
                            touched, written, places, accesses)
                phase, accesses = places.marks[address], 0
                touched, written = set(), set()
                continue
            if phase not in PHASES:
                continue
            accesses += 1
            for line in range(address // LINE_BYTES,
                              (address + int(size) - 1) // LINE_BYTES + 1):
                touched.add(line)
                if kind != "L":
                    written.add(line)
    return profiles
