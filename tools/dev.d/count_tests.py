"""Counts the test cases of one Bazel run, from its build event file.

usage: count_tests.py EVENT_FILE BAZEL_EXIT_CODE

Prints one line per test target, the names of the cases that failed, and last
"N passed, N failed". Exits with 1 if any failed or none ran.
"""

import collections
import json
import pathlib
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

BAZEL_TESTS_FAILED = 3


class Target:
    def __init__(self):
        self.passed = self.skipped = 0
        self.failed = []
        self.seconds = 0.0
        self.status = "PASSED"
        self.log = ""

    def fail(self, what, log=""):
        self.failed.append(what)
        self.log = self.log or log


def local_path(output):
    return pathlib.Path(urllib.parse.unquote(
        urllib.parse.urlparse(output["uri"]).path))


def count_cases(target, xml_path):
    for case in ElementTree.parse(xml_path).getroot().iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.find("failure") is not None or case.find("error") is not None:
            target.fail(name)
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            target.skipped += 1
        else:
            target.passed += 1


def read_result(target, result):
    """One attempt of one shard."""
    outputs = {o["name"]: o for o in result.get("testActionOutput", [])}
    status = result.get("status", "NO_STATUS")
    log = str(local_path(outputs["test.log"])) if "test.log" in outputs else ""
    target.seconds += float(result.get("testAttemptDurationMillis", 0)) / 1000
    failed_before = len(target.failed)
    try:
        count_cases(target, local_path(outputs["test.xml"]))
    except (KeyError, OSError, ElementTree.ParseError):
        if status == "PASSED":
            target.passed += 1
    if status != "PASSED":
        target.status = status
        target.log = log
        # It may have died before it could say which case failed.
        if len(target.failed) == failed_before:
            target.fail(f"(the program: {status})")


def read_events(path):
    targets = collections.defaultdict(Target)
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        kind = event.get("id", {})
        if "testResult" in kind and "testResult" in event:
            label = kind["testResult"]["label"]
            read_result(targets[label], event["testResult"])
        elif "targetCompleted" in kind and not event.get("completed", {}).get(
                "success"):
            label = kind["targetCompleted"]["label"]
            # A test that ran has testResult events, before or after this one.
            if event.get("aborted", {}).get("reason") != "SKIPPED":
                targets[label].status = "NOT BUILT"
    for target in targets.values():
        if target.status == "NOT BUILT" and not target.failed:
            target.fail("(not built)")
    return targets


def main():
    targets = read_events(pathlib.Path(sys.argv[1]))
    bazel_code = int(sys.argv[2])
    passed = sum(t.passed for t in targets.values())
    failed = sum(len(t.failed) for t in targets.values())
    skipped = sum(t.skipped for t in targets.values())

    print("\ntest target".ljust(63) + "passed failed skipped seconds")
    for label, target in sorted(targets.items()):
        print(f"{label:61} {target.passed:6} {len(target.failed):6} "
              f"{target.skipped:7} {target.seconds:7.1f}")
    for label, target in sorted(targets.items()):
        for name in target.failed:
            print(f"FAILED {label} {name} {target.log}".rstrip())
    if failed == 0 and bazel_code not in (0, BAZEL_TESTS_FAILED):
        failed += 1
        print(f"FAILED bazel itself: exit code {bazel_code}")
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed and bazel_code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
