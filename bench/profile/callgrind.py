"""Instructions per call of functions whose names begin with "counted_"."""

import collections
import re

COUNTED = re.compile(r"counted_\w+$")


def tool(directory):
    return ["valgrind", "--tool=callgrind", "--quiet",
            f"--callgrind-out-file={directory}/callgrind.out",
            "--compress-strings=no", "--compress-pos=no"]


def read_counts(path):
    """{function: (calls, instructions)}, those of what it calls included."""
    calls = collections.Counter()
    instructions = collections.Counter()
    callee, is_call = "", False
    for row in path.read_text(encoding="utf-8").splitlines():
        key, _, value = row.partition("=")
        if key == "cfn":
            callee = value
        elif key == "calls":
            calls[callee] += int(value.split()[0])
            is_call = True
        elif is_call:  # the row after "calls" has the callee's
            instructions[callee] += int(row.split()[1])
            is_call = False
    return {name: (calls[name], instructions[name])
            for name in calls if COUNTED.match(name)}


def per_message(fewer, more):
    """{function: instructions}: (cost of 2N - cost of N) / N, so that what the
    first messages cost besides is in neither."""
    return {name: (more[name][1] - fewer[name][1]) /
                  (more[name][0] - fewer[name][0]) for name in fewer}
