"""Alloc and free: one program per allocator, taking turns on one CPU."""

import json
import os
import subprocess

from report import tables

PEERS = {
    "zcb": "alloc_pair_zcb",
    "zcb_cpg": "alloc_pair_cpg",
    "jemalloc": "alloc_pair_jemalloc",
    "glibc": "alloc_pair_glibc",
}
PROGRAMS = list(PEERS.values())
RATIOS = [("zcb", "jemalloc"), ("zcb", "glibc"), ("zcb_cpg", "jemalloc")]


def measure(program, cpu, min_time_s):
    """One run: {benchmark name: CPU nanoseconds per pair}."""
    done = subprocess.run(
        [program, f"--benchmark_min_time={min_time_s}",
         "--benchmark_format=json"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    runs = json.loads(done.stdout)["benchmarks"]
    return {run["name"]: run["cpu_time"] for run in runs}


def turns(round_number):
    """Who goes when: forwards and backwards in turn, so that a drift of the
    machine meets everybody alike."""
    names = list(PEERS)
    return names if round_number % 2 == 0 else names[::-1]


def run(programs, options):
    rounds = options.rounds or (2 if options.quick else 12)
    min_time_s = 0.02 if options.quick else 0.2
    cpu = int(options.cpus.split(",")[0])
    measured = []
    for number in range(rounds):
        measured.append({
            peer: measure(programs / PEERS[peer], cpu, min_time_s)
            for peer in turns(number)
        })
    report(measured)
    return {"rounds": measured, "unit": "ns of CPU time per alloc and free"}


def report(measured):
    print(f"  alloc + free, ns of CPU time, median of {len(measured)} rounds; "
          "ratios are taken per round: median (least .. most)")
    head = ["", *PEERS, *(f"{a} / {b}" for a, b in RATIOS)]
    rows = []
    for name in measured[0]["zcb"]:
        kind, size = name.split("/")
        row = [f"{kind}, {tables.size_text(int(size))}"]
        for peer in PEERS:
            row.append("{:.1f}".format(
                tables.median([r[peer][name] for r in measured])))
        for a, b in RATIOS:
            row.append(tables.ratio_text(
                [r[a][name] / r[b][name] for r in measured]))
        rows.append(row)
    tables.show(head, rows)
