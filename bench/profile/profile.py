#!/usr/bin/env python3
"""What a message costs that no clock can tell on a busy machine.

usage: profile.py lines|instructions EXCHANGE_SIDE [CEILINGS]

`lines`: cache lines touched by each side per message, by what lies in them; of
the C++ interface, since the C API adds private ones alone. `instructions`: those
of a send and of a receive, of both. Messages of 64 bytes, two members, everything
warm. With CEILINGS, a
file of rows "name number", it is a test: above one it fails, and so does a name
without one. Each row is a case in the XML that Bazel collects.
"""

import os
import pathlib
import platform
import shutil
import sys
import xml.etree.ElementTree as ElementTree

import callgrind
import exchange
import lackey

APIS = ("native", "cpg")
LENGTH_BYTES = 64
MESSAGES = 512  # eight turns; the ring has room for more
ARCHITECTURE = "x86_64"
ROUNDING = 0.006  # of the tables


def count_lines(program):
    """{"send: shared slots": lines}; prints the tables."""
    counts = {}
    pair = exchange.Exchange(program, "native", LENGTH_BYTES)
    for role in exchange.ROLES:
        with pair.run(role, 2 * MESSAGES, lackey.tool) as directory:
            places = lackey.Places(directory / f"places.{role}", LENGTH_BYTES)
            profiles = lackey.read_profiles(directory / "trace", places,
                                            MESSAGES)
        for phase, profile in profiles.items():
            print_profile(phase, profile)
            rows = profile.rows()
            for name, touched, _ in rows:
                if name.startswith("shared "):
                    counts[f"{phase}: {name}"] = touched
            counts[f"{phase}: all shared"] = sum(
                touched for name, touched, _ in rows
                if name.startswith("shared "))
    return counts


def print_profile(phase, profile):
    print(f"\n{phase}: cache lines per message "
          f"({profile.accesses / profile.messages:.0f} accesses)")
    print(f"  {'':26}{'touched':>9}{'written':>9}")
    sums = [0, 0]
    for name, touched, written in profile.rows():
        sums = [sums[0] + touched, sums[1] + written]
        print(f"  {name:26}{touched:9.2f}{written:9.2f}")
    print(f"  {'all':26}{sums[0]:9.2f}{sums[1]:9.2f}")


def count_instructions(program):
    """{"counted_native_send": instructions}"""
    counts = {}
    for api in APIS:
        pair = exchange.Exchange(program, api, LENGTH_BYTES)
        for role in exchange.ROLES:
            runs = []
            for messages in (MESSAGES, 2 * MESSAGES):
                with pair.run(role, messages, callgrind.tool) as directory:
                    runs.append(callgrind.read_counts(
                        directory / "callgrind.out"))
            counts.update(callgrind.per_message(*runs))
    return counts


def read_ceilings(path):
    ceilings = {}
    for row in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, _, number = row.partition("#")[0].rstrip().rpartition(" ")
        if name:
            ceilings[name.strip()] = float(number)
    return ceilings


def judge(name, count, ceiling):
    """Why the count is wrong, or ''."""
    if count is None:
        return "was not counted: a row too many?"
    if ceiling is None:
        return "has no ceiling: add a row"
    if count > ceiling + ROUNDING:
        return (f"{count - ceiling:.2f} above its ceiling. If that is on "
                "purpose, raise it as the head of the table says")
    return ""


def hold(counts, path):
    """Prints counts and ceilings; True if all is well."""
    ceilings = read_ceilings(path)
    suite = ElementTree.Element("testsuite", name="Profile")
    good = True
    print(f"\n{'per message, at most':44}{'count':>9}{'ceiling':>9}")
    for name in sorted(counts.keys() | ceilings.keys()):
        count, ceiling = counts.get(name), ceilings.get(name)
        problem = judge(name, count, ceiling)
        shown = ["-" if number is None else f"{number:.2f}"
                 for number in (count, ceiling)]
        print(f"{name:44}{shown[0]:>9}{shown[1]:>9}  {problem}".rstrip())
        case = ElementTree.SubElement(suite, "testcase", classname="Profile",
                                      name=name)
        if problem:
            good = False
            ElementTree.SubElement(case, "failure", message=problem)
    output = os.environ.get("XML_OUTPUT_FILE")
    if output:
        ElementTree.ElementTree(suite).write(output)
    return good


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("lines",
                                                          "instructions"):
        sys.exit(__doc__)
    if shutil.which("valgrind") is None:
        sys.exit("no valgrind: tools/dev packages test")
    what, program = sys.argv[1:3]
    count = count_lines if what == "lines" else count_instructions
    counts = count(program)
    if len(sys.argv) == 3:
        print("\nas rows of a table of ceilings:")
        for name, number in sorted(counts.items()):
            print(f"{name:44}{number:9.2f}")
        return
    if platform.machine() != ARCHITECTURE:
        sys.exit(f"the ceilings are for {ARCHITECTURE}")
    if not hold(counts, sys.argv[3]):
        sys.exit(f"FAILED; the table is {sys.argv[3]}")


if __name__ == "__main__":
    main()
