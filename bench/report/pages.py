"""Huge pages against 4 KiB: what they cost to get and to touch, and a stream
over both. As root only: file systems are mounted where nobody else sees them."""

import json
import os
import subprocess

from report import tables
from report.measured import (Cell, Row, find, measure, per_round, rows_of,
                             same_names, show, show_dropped)

PROGRAMS = ["page_stream", "pages"]
TARGETS = ["//bench/pages:" + name for name in PROGRAMS]
NOT_RUN = 75  # exit code: not permitted here

KINDS = {"4 KiB": "small", "huge": "huge"}
SIZES = (64 << 10, 1 << 20)
STREAM_BYTES = 512 << 20
FIGURES = ("commit_us", "prepare_us", "write_us", "attach_us", "random_ns",
           "return_us")


def streams(quick):
    total = STREAM_BYTES // (16 if quick else 1)
    return [Cell("pages/page_stream",
                 (f"--pages={word}", f"--bytes={size}",
                  f"--messages={total // size}"),
                 (Row("page_stream", "zcb", {"length_bytes": size,
                                             "pages": kind, "touched": True},
                      same_names("messages_per_s", "MB_per_s", "send_cpu_ns")),
                  ))
            for size in (SIZES[:1] if quick else SIZES)
            for kind, word in KINDS.items()]


def run_ways(programs, rounds):
    """{way: [figures, ...]}, none where it is not permitted."""
    done = subprocess.run([programs / "pages/pages", "--json", str(rounds)],
                          text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode == NOT_RUN:
        return {}
    done.check_returncode()
    return json.loads(done.stdout)


def kind_of(repetitions):
    return "huge" if repetitions[0]["huge_share"] > 0.5 else "4 KiB"


def way_rows(ways):
    return [{"question": "pages", "peer": "zcb",
             "parameters": {"pages": kind_of(repetitions), "way": way},
             "figures": dict.fromkeys(FIGURES, "lower"),
             "repetitions": [{"kept": True} | one for one in repetitions]}
            for way, repetitions in ways.items()]


def show_ways(ways):
    print("  what each way to have memory costs: us of CPU time per MiB, "
          "random: ns per load\n")
    tables.show(["", *(name[:-3] for name in FIGURES), "huge"],
                [[way, *(f"{tables.median([one[name] for one in found]):.1f}"
                         for name in FIGURES),
                  f"{tables.median([one['huge_share'] for one in found]):.0%}"]
                 for way, found in ways.items()])
    print()


def show_ratios(cells):
    for size in SIZES:
        ratios = per_round(*(find(cells, "page_stream", "zcb",
                                  length_bytes=size, pages=kind, touched=True)
                             for kind in ("huge", "4 KiB")),
                           "messages_per_s", lambda huge, small: huge / small)
        if ratios:
            print(f"  {tables.size_text(size)}: rate over huge pages / over "
                  f"4 KiB pages: {tables.ratio_text(ratios)}")


def run(programs, options):
    if os.geteuid() != 0:
        print("  skipped: needs root, to mount")
        return {"rows": [], "targets": []}
    rounds = options.rounds or (1 if options.quick else 5)
    ways = run_ways(programs, rounds)
    if not ways:
        print("  skipped: no huge pages to be had here")
        return {"rows": [], "targets": []}
    cells = streams(options.quick)
    measure(programs, cells, rounds, options.cpus)
    show_dropped(cells)
    show_ways(ways)
    show(cells, "page_stream", "a stream, every byte written and read")
    show_ratios(cells)
    return {"rows": way_rows(ways) + [row.as_row() for row in rows_of(cells)],
            "targets": []}
