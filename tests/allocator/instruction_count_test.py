#!/usr/bin/env python3
"""Counts the instructions of calls and holds them to a ceiling.

usage: instruction_count_test.py PROGRAM CEILINGS

Runs PROGRAM under callgrind, which says for each function how often it was
called and what its instructions were, those of what it calls included. That is
exact and the same in every run: start-up is in other functions, and a call that
left the fast path makes a sum that does not divide. Every row of CEILINGS is a
test case in the XML that Bazel collects.
"""

import collections
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

COUNTED = re.compile(r"counted_\w+$")
ARCHITECTURE = "x86_64"  # of the ceilings


class Count:
    def __init__(self):
        self.calls = self.instructions = 0


def read_ceilings(path):
    ceilings = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            name, ceiling = words
            ceilings[name] = int(ceiling)
    return ceilings


def run_callgrind(program, output):
    command = ["valgrind", "--tool=callgrind", "--quiet",
               f"--callgrind-out-file={output}", "--compress-strings=no",
               "--compress-pos=no", program]
    try:
        code = subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        sys.exit("no valgrind: tools/dev packages test")
    if code != 0:
        sys.exit(f"{program} ended with {code}")


def read_counts(path):
    """{function: Count} of callgrind's output, its names uncompressed."""
    counts = collections.defaultdict(Count)
    function = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key == "fn":
            function = value
        elif key == "cfn":
            callee = value
        elif key == "calls":
            counts[callee].calls += int(value.split()[0])
        elif re.match(r"[0-9*+-]", line):
            # Own instructions, or after "calls" those of the callee.
            counts[function].instructions += int(line.split()[1])
    return {name: count for name, count in counts.items()
            if COUNTED.match(name)}


def judge(name, ceiling, count):
    """(what was counted, why that is wrong or '')."""
    if count is None or count.calls == 0:
        return "-", "never called: not in instruction_count_paths.cc?"
    each, rest = divmod(count.instructions, count.calls)
    if rest:
        return (f"{count.instructions / count.calls:.3f}",
                "not the same in every call: some left the fast path")
    if ceiling is None:
        return str(each), "has no ceiling: add a row"
    if each > ceiling:
        return (str(each),
                f"{each - ceiling} above its ceiling. If that is on purpose, "
                "raise it as the head of the table says")
    return str(each), ""


def write_xml(results):
    suite = ElementTree.Element("testsuite", name="InstructionCount")
    for name, problem in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname="InstructionCount", name=name)
        if problem:
            ElementTree.SubElement(case, "failure", message=problem)
    path = os.environ.get("XML_OUTPUT_FILE")
    if path:
        ElementTree.ElementTree(suite).write(path)


def main():
    program, table = sys.argv[1:]
    if platform.machine() != ARCHITECTURE:
        sys.exit(f"the ceilings are for {ARCHITECTURE}; "
                 f"{platform.machine()} has none yet")
    ceilings = read_ceilings(pathlib.Path(table))
    with tempfile.TemporaryDirectory(
            dir=os.environ.get("TEST_TMPDIR")) as directory:
        output = pathlib.Path(directory) / "callgrind.out"
        run_callgrind(program, output)
        counts = read_counts(output)

    print(f"{'instructions of one call':30} count ceiling")
    results = []
    for name in sorted(ceilings.keys() | counts.keys()):
        ceiling = ceilings.get(name)
        found, problem = judge(name, ceiling, counts.get(name))
        note = problem
        if not problem and int(found) < ceiling:
            note = f"(below: lower the ceiling to {found})"
        print(f"{name:30} {found:>5} {ceiling or '-':>7}  {note}".rstrip())
        results.append((name, problem))
    write_xml(results)
    bad = [name for name, problem in results if problem]
    if bad:
        sys.exit(f"FAILED: {', '.join(bad)}; the table is {table}")


if __name__ == "__main__":
    main()
