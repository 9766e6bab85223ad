"""The calls of the CPG API: one program, run over and over on our library."""

import json
import os
import shlex
import subprocess

from report import calls_targets, progress, tables

PROGRAM = "cpg/calls"
LIBRARY = "libcpg.so.4"

# Corosync's own medians, ns: measured on Debian's corosync 3.1.7 on a 2-vCPU
# machine, daemon and client at real-time priority, a single node. What it was
# not measured for is left out.
COROSYNC_NS = {
    "initialize+join+confchg": 2_152_000,
    "cpg_initialize": 2_004_000,
    "join+confchg": 131_000,
    "cpg_finalize, joined": 153_000,
    "empty dispatch": 260,
    "cpg_local_get": 39_500,
    "alloc+free, 64 B": 110_800,
    "alloc+free, 4 KiB": 113_100,
    "own message, 64 B": 55_600,
}


def run_once(command, library_directory, options):
    """One run in a new process and region: {call: figures}."""
    environment = dict(os.environ)
    if library_directory:
        environment["LD_LIBRARY_PATH"] = str(library_directory)
    if options.quick:
        command = [*command, "--cycles=100", "--samples=20"]
    done = subprocess.run([*command, "--json"], check=True, text=True,
                          stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


def medians(rounds, call):
    return [figures[call]["p50_ns"] for figures in rounds]


def ratio_text(ours_ns, theirs_ns):
    if not theirs_ns:
        return "-"
    ratio = theirs_ns / ours_ns
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def theirs(corosync, call):
    """Corosync's median, ns: of these rounds if it was run, else as known."""
    if corosync:
        return tables.median(medians(corosync, call))
    return COROSYNC_NS.get(call)


def rows(rounds, corosync):
    for call, first in rounds[0].items():
        low, middle, high = tables.spread(medians(rounds, call))
        p99 = tables.median([r[call]["p99_ns"] for r in rounds])
        known = theirs(corosync, call)
        # A single call has no percentiles.
        p99_text = tables.time_text(p99) if first["samples"] > 1 else "-"
        yield [call, tables.time_text(low), tables.time_text(middle),
               f"{tables.time_text(low)} .. {tables.time_text(high)}",
               p99_text, tables.time_text(known) if known else "-",
               ratio_text(middle, known)]


def show(rounds, corosync):
    print(f"\n  {len(rounds)} rounds, each a process of its own in a region of "
          "its own. best: the least\n  of the rounds' medians; p50: the median "
          "of them; p99: that of single calls where\n  these are long enough "
          "to be timed alone, else of averages of 20 or 1,000\n")
    source = ("here, in turns" if corosync
              else "measured on Debian's corosync 3.1.7 on a 2-vCPU machine")
    tables.show(["", "best", "p50", "spread of p50", "p99", "Corosync's p50",
                 "Corosync / p50"], list(rows(rounds, corosync)))
    print(f"  Corosync's: {source}\n")


def result_rows(rounds, peer):
    """As all suites return them: a row per call, a repetition per round."""
    for call, first in (rounds[0] if rounds else {}).items():
        # A single call has no percentiles.
        figures = ["p50_ns", "p99_ns"] if first["samples"] > 1 else ["p50_ns"]
        yield {"question": "call", "peer": peer, "parameters": {"call": call},
               "figures": dict.fromkeys(figures, "lower"),
               "repetitions": [{"kept": True} | {name: one[call][name]
                                                 for name in figures}
                               for one in rounds]}


def run(programs, options):
    program = [str(programs / PROGRAM)]
    # Bazel builds the library beside //bench.
    library = programs.parent / "cpg"
    if not (library / LIBRARY).exists():
        raise SystemExit(f"bench: no {library / LIBRARY}")
    rounds, corosync = [], []
    count = options.rounds or (1 if options.quick else 7)
    progress.current.plan(count)
    for number in range(count):
        progress.current.step(f"round {number + 1}")
        rounds.append(run_once(program, library, options))
        if options.corosync:
            # The same program on the system's library, where the prefix says
            # that a daemon answers.
            corosync.append(run_once(
                [*shlex.split(options.corosync), *program], None, options))
        print(f"  round {number + 1} done, load "
              f"{os.getloadavg()[0]:.1f}", flush=True)
    show(rounds, corosync)
    calls_targets.show(rounds)
    return {"rows": [*result_rows(rounds, "zcb_libcpg"),
                     *result_rows(corosync, "corosync")],
            "targets": calls_targets.results(rounds)}
