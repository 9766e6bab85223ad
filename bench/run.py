#!/usr/bin/env python3
"""Builds and runs the benchmarks, prints tables, and writes a JSON file and a
report beside it.

    tools/dev bench [SUITE ...] [--peers | --peer NAME ...] [--quick]
    tools/dev bench report FILE.json
    tools/dev bench compare FIRST.json SECOND.json

README.md in this directory says what is timed and how to read the figures.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from report import (builder, compare, environment, noise, page, progress,
                    ratio_limits, rows, selection, tables)
from report.allocator_peers import PEERS
from report.suites import SUITES

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench-results"


def parse_run(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/dev bench",
        description="Runs zcb's benchmarks next to those of its peers.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="suites:\n" + "\n".join(
            f"  {name:<10} {suite.what}" for name, suite in SUITES.items())
        + "\n\nAlso: bench report FILE.json, bench compare FIRST SECOND; each "
        "has --help.")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="default: all of them")
    parser.add_argument("--peers", action="store_true",
                        help="measure every peer that is installed")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME",
                        help="measure this one, too (repeatable)")
    parser.add_argument("--without", action="append", default=[],
                        metavar="NAME",
                        help="do not measure this peer (corosync takes a minute"
                        " each of its ways)")
    parser.add_argument("--quick", action="store_true",
                        help="few rounds and sizes: does it still run?")
    parser.add_argument("--rounds", type=int, default=0,
                        help="how often everything is measured; 0: by suite")
    parser.add_argument("--only", default="", metavar="WORKLOADS",
                        help="alloc: only what begins so (pair,processes/64)")
    parser.add_argument("--cpus", default="0,1",
                        help="the two CPUs to use (default 0,1)")
    parser.add_argument("--corosync", default="", metavar="PREFIX",
                        help="cpg: also measure the system's libcpg, with the "
                        "program started by this command (nsenter ...)")
    parser.add_argument("--programs", type=pathlib.Path,
                        help="directory of built programs; nothing is built")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE.json",
                        help="default: bench-results/DATE-SUITES.json")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)} "
                     f"(there are: {', '.join(SUITES)})")
    options.suites = options.suites or list(SUITES)
    options.selection = selection.Selection(options.peers, options.peer,
                                            without=options.without)
    return options


def prepare(options):
    """Builds what the suites need; sets options.programs, their directory."""
    if options.programs:
        options.peers = [name for name in options.selection.pick(PEERS)
                         if (options.programs / "allocator" / name).exists()]
        return
    for name in options.suites:
        SUITES[name].prepare(ROOT, options)
    options.programs = builder.directory(ROOT)


def run_suite(name, options):
    """Rows, targets, seconds and noise of one suite."""
    print(f"\n== {name} ==", flush=True)
    options.progress.begin(name)
    before, begun = noise.Sample.take(), time.monotonic()
    failed = ""
    try:
        found, targets = rows.of_suite(
            SUITES[name].run(options.programs, options))
    except subprocess.CalledProcessError as error:
        # The others' hours of work are not to be lost with it.
        found, targets = [], []
        failed = f"{name}: failed: {' '.join(map(str, error.cmd))}"
        print(f"  {failed}", flush=True)
    options.progress.end()
    return {"rows": found, "targets": targets, "failed": failed,
            "seconds": round(time.monotonic() - begun, 1),
            "noise": noise.of_suite(before, noise.Sample.take(), found)}


def measure(results, options):
    """Every suite; why it ended before the last, in a list."""
    for name in options.suites:
        try:
            results[name] = run_suite(name, options)
        except KeyboardInterrupt:
            return [f"interrupted in {name}"]
    return []


def interrupt(*_):
    raise KeyboardInterrupt


def run_suites(options):
    """The whole result file."""
    prepare(options)
    results = {"format": 1, "command": options.command,
               "quick": options.quick,
               "environment": environment.describe(ROOT), "suites": {}}
    environment.show(results["environment"])
    options.progress = progress.current = progress.Progress(
        (name, SUITES[name].quick_seconds if options.quick
         else SUITES[name].seconds) for name in options.suites)
    before = noise.Sample.take()
    with tempfile.TemporaryDirectory(prefix="zcb-bench-",
                                     dir="/dev/shm") as region:
        # One place for all regions, so that nothing can be left behind.
        os.environ["ZCB_DIR"] = region
        with progress.Screen(options.progress):
            ended = measure(results["suites"], options)
    facts = results["environment"]
    facts["load_at_end"] = os.getloadavg()
    facts["whole_run"] = noise.between(before, noise.Sample.take())
    results["skipped"] = options.selection.skipped
    results["failed"] = [result["failed"]
                         for result in results["suites"].values()
                         if result["failed"]] + ended
    results["warnings"] = (results["failed"]
                           + noise.warnings(results["suites"])
                           + options.selection.warnings())
    return results


def show_end(results):
    """What a reader must know before believing the rest."""
    print("\n== all ==")
    tables.show(["suite", "time", "others at work", "stolen", "dropped", ""],
                [[name, progress.duration_text(result["seconds"]),
                  f"{result['noise']['others_cpus']:.2f} CPUs",
                  f"{result['noise']['steal_share']:.1%}",
                  f"{result['noise']['dropped']} of "
                  f"{result['noise']['repetitions']}",
                  "" if result["noise"]["believable"] else "NOISY"]
                 for name, result in results["suites"].items()])
    every = [target for result in results["suites"].values()
             for target in result["targets"]]
    missed = [target for target in every if target.get("met") is False]
    print(f"  {len(every)} targets: "
          f"{sum(target.get('met') is True for target in every)} met, "
          f"{len(missed)} not met, "
          f"{sum(target.get('met') is None for target in every)} not "
          "measured")
    for target in missed:
        print(f"  NOT MET: {target['what']}: {target['limit']}, "
              f"measured {target['text']}")
    for peer, why in results["skipped"].items():
        print(f"  skipped: {peer}: {why}")
    for warning in results["warnings"]:
        print(f"  WARNING: {warning}")


def write(results, options):
    path = options.output
    if not path:
        RESULTS.mkdir(exist_ok=True)
        suites = ("all" if len(options.suites) == len(SUITES)
                  else "-".join(options.suites))
        date = results["environment"]["date"].replace(":", "")
        path = RESULTS / f"{date}-{suites}.json"
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    written = page.write(results, path.with_suffix(".html"))
    print(f"\nwritten: {path} and {written}")


def main_run(arguments):
    options = parse_run(arguments)
    options.command = " ".join(["tools/dev bench", *arguments])
    results = run_suites(options)
    show_end(results)
    write(results, options)
    return 1 if results["failed"] else 0


def main_report(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/dev bench report",
        description="Makes the report of a result file.")
    parser.add_argument("file", type=pathlib.Path, metavar="FILE.json")
    parser.add_argument("--output", type=pathlib.Path,
                        help="default: FILE.html")
    parser.add_argument("--against", default="", metavar="PEER",
                        help="bars show ratios to this one")
    options = parser.parse_args(arguments)
    path = options.output or options.file.with_suffix(".html")
    print("written:", page.write(compare.load(options.file), path,
                                 options.against))
    return 0


def main_compare(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/dev bench compare", description=compare.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", metavar="FIRST.json")
    parser.add_argument("second", metavar="SECOND.json")
    parser.add_argument("--all", action="store_true",
                        help="also what is the same")
    parser.add_argument("--fail-on-worse", action="store_true",
                        help="exit with 1 if something of zcb got worse")
    return compare.main(parser.parse_args(arguments))


def main_ratios(arguments):
    """For tools/dev check."""
    options = parse_run([*ratio_limits.ARGUMENTS, *arguments])
    options.selection = selection.Selection(exactly=ratio_limits.PEERS)
    options.command = "tools/dev check ratios"
    return ratio_limits.judge(run_suites(options))


def main():
    # So that the regions go, and what was measured does not.
    signal.signal(signal.SIGTERM, interrupt)
    commands = {"report": main_report, "compare": main_compare,
                "ratios": main_ratios}
    arguments = sys.argv[1:]
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    return main_run(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: failed: {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
