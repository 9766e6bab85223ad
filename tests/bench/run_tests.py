#!/usr/bin/env python3
"""Runs the unit tests of bench/report; each is a case in Bazel's XML.

usage: run_tests.py [NAME ...]   names as of python3 -m unittest
"""

import os
import pathlib
import sys
import unittest
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(HERE.parent.parent / "bench"), str(HERE)]


class Recorder(unittest.TextTestResult):
    """Remembers every case, good and bad, in order."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.cases.append((test.id(), ""))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.cases.append((test.id(), self.failures[-1][1]))

    def addError(self, test, err):
        super().addError(test, err)
        self.cases.append((test.id(), self.errors[-1][1]))


def write_xml(cases, path):
    suite = ElementTree.Element("testsuite", name="bench")
    for identity, problem in cases:
        classname, _, name = identity.rpartition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=classname,
                                      name=name)
        if problem:
            ElementTree.SubElement(case, "failure", message=problem)
    ElementTree.ElementTree(suite).write(path)


def main():
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        tests = loader.loadTestsFromNames(sys.argv[1:])
    else:
        tests = loader.discover(str(HERE), pattern="*_test.py")
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(
        tests)
    if os.environ.get("XML_OUTPUT_FILE"):
        write_xml(result.cases, os.environ["XML_OUTPUT_FILE"])
    return 0 if result.wasSuccessful() and result.cases else 1


if __name__ == "__main__":
    sys.exit(main())
