#!/usr/bin/env python3
"""Builds and runs the benchmarks, prints tables, and writes one JSON file.

    tools/dev bench [SUITE] [--quick]

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

from report import (allocator, builder, calls, crowd, environment, growth,
                    kills, pages, pairs, recovery, selection)
from report.allocator_peers import PEERS

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench-results"
SUITES = {
    "alloc": allocator.run,
    "cpg": calls.run,
    "crowd": crowd.run,
    "growth": growth.run,
    "kills": kills.run,
    "latency": pairs.latency,
    "pages": pages.run,
    "recovery": recovery.run,
    "stream": pairs.stream,
}


def prepare(options, suites):
    """Builds what the suites need; sets options.programs, their directory, and
    options.peers, the allocators that are there."""
    if options.programs:
        options.peers = [name for name in PEERS
                         if (options.programs / "allocator" / name).exists()]
        return
    if "latency" in suites or "stream" in suites:
        pairs.prepare(ROOT, options)
    if "cpg" in suites and not builder.build(
            ROOT, ["//bench/" + calls.PROGRAM.replace("/", ":"),
                   "//cpg:" + calls.LIBRARY]):
        sys.exit("bench: cannot build")
    if "recovery" in suites and not builder.build(
            ROOT, ["//bench/recovery:" + name for name in recovery.PROGRAMS]):
        sys.exit("bench: cannot build")
    for name, module in (("crowd", crowd), ("growth", growth),
                         ("pages", pages)):
        if name in suites and not builder.build(ROOT, module.TARGETS):
            sys.exit("bench: cannot build")
    if "kills" in suites and not builder.build(ROOT, [kills.TARGET]):
        sys.exit("bench: cannot build")
    if "alloc" in suites:
        options.peers = builder.build_peers(ROOT, PEERS)
        if "zcb" not in options.peers:
            sys.exit("bench: cannot build")
    options.programs = builder.directory(ROOT)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Runs zcb's benchmarks next to those of its peers.")
    parser.add_argument("suite", nargs="?", default="all",
                        choices=["all", *SUITES])
    parser.add_argument("--peers", action="store_true",
                        help="latency, stream: measure every peer that is "
                        "installed")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME",
                        help="measure this one, too (repeatable)")
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
    return parser.parse_args()


def main():
    options = parse_arguments()
    options.selection = selection.Selection(options.peers, options.peer)
    # So that the regions go, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    suites = list(SUITES) if options.suite == "all" else [options.suite]
    prepare(options, suites)
    results = {"environment": environment.describe(ROOT), "suites": {}}
    environment.show(results["environment"])
    with tempfile.TemporaryDirectory(prefix="zcb-bench-",
                                     dir="/dev/shm") as region:
        # One place for all regions, so that nothing can be left behind.
        os.environ["ZCB_DIR"] = region
        for suite in suites:
            print(f"\n== {suite} ==", flush=True)
            run = SUITES[suite]
            results["suites"][suite] = run(options.programs, options)
    results["environment"]["load_at_end"] = os.getloadavg()
    RESULTS.mkdir(exist_ok=True)
    name = "{}-{}.json".format(
        results["environment"]["date"].replace(":", ""), options.suite)
    (RESULTS / name).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: bench-results/{name}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: failed: {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
