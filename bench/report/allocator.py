"""Allocators: one program for each, taking turns on the same CPUs."""

import json
import os
import subprocess

from report import allocator_targets, progress, tables
from report.allocator_peers import PEERS, cells

# Two measurements whose floors are further apart were taken on two machines.
FLOOR_DIFFERENCE_LIMIT = 0.25
FLOOR_DRIFT_LIMIT = 0.15
TRIES = 3  # when the floor moved meanwhile
DISTURBED = 1.5  # the median chunk over the quiet one

RATIOS = [("zcb", "jemalloc"), ("zcb", "mimalloc"), ("boost", "zcb")]


class Rounds:
    """What was measured: one {cell: {peer: figures}} per round."""

    def __init__(self, peers):
        self.peers = peers
        self.rounds = []

    def values(self, cell, peer, figure):
        found = [r[cell][peer] for r in self.rounds if peer in r.get(cell, {})]
        return [figures[figure] for figures in found if figure in figures]

    def ratios(self, ours, theirs, figure):
        """ours / theirs, each a (cell, peer), per round; where there are floors
        only if these were alike."""
        found = []
        for one_round in self.rounds:
            a = one_round.get(ours[0], {}).get(ours[1])
            b = one_round.get(theirs[0], {}).get(theirs[1])
            if a and b and alike(a, b):
                found.append(a[figure] / b[figure])
        return found


def alike(a, b):
    if "floor_ns" not in a:
        return True
    low, high = sorted((a["floor_ns"], b["floor_ns"]))
    return (high <= low * (1 + FLOOR_DIFFERENCE_LIMIT)
            and kept(a) and kept(b))


def kept(figures):
    return figures.get("floor_drift", 0) <= FLOOR_DRIFT_LIMIT


def run_once(program, cell, cpus, min_time_s):
    """One run in a new process: {figure: number}; None if it failed."""
    command = [program, f"--benchmark_filter=^{cell.name}(/[a-z_]+.*)?$",
               f"--benchmark_min_time={min_time_s}",
               "--benchmark_format=json"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode != 0:
        print(f"  {program.name}, {cell.title}: failed: "
              f"{done.stderr.strip().splitlines()[-1:]}")
        return None
    (measured,) = json.loads(done.stdout)["benchmarks"]
    if measured.get("error_occurred"):
        print(f"  {program.name}, {cell.title}: {measured['error_message']}")
        return None
    names = ("cpu_time", "real_time", "median_ns", "quiet_ns", "cpu_ns",
             "floor_ns", "floor_drift", "live_bytes", "resident_per_live",
             "resident_per_live_after")
    return {name: measured[name] for name in names if name in measured}


def measure(program, cell, options):
    cpus = [int(cpu) for cpu in options.cpus.split(",")]
    for _ in range(1 if options.quick else TRIES):
        figures = run_once(program, cell,
                           set(cpus if cell.needs_two_cpus else cpus[:1]),
                           0.02 if options.quick else 0.2)
        if figures is None or kept(figures):
            break
    return figures


def turns(peers, round_number):
    """Who goes when: forwards and backwards in turn, so that a drift of the
    machine meets everybody alike."""
    return peers if round_number % 2 == 0 else peers[::-1]


def measure_round(programs, plan, peers, options, number):
    """One round; every cell's peers go one right after the other."""
    measured = {}
    for cell in plan:
        measured[cell] = {}
        for peer in turns(peers, number):
            if cell.workload not in PEERS[peer].workloads:
                continue
            progress.current.step(f"{cell.title}: {peer}")
            figures = measure(programs / "allocator" / peer, cell, options)
            if figures is not None:
                measured[cell][peer] = figures
    return measured


def run(programs, options):
    plan = [cell for cell in cells(options.quick)
            if cell.name.startswith(tuple(options.only.split(",")))]
    rounds = Rounds(options.peers)
    count = options.rounds or (1 if options.quick else 5)
    progress.current.plan(count * sum(
        cell.workload in PEERS[peer].workloads
        for cell in plan for peer in options.peers))
    for number in range(count):
        rounds.rounds.append(measure_round(programs, plan, options.peers,
                                           options, number))
        print(f"  round {number + 1} done", flush=True)
    show(plan, rounds)
    allocator_targets.show(plan, rounds)
    return {"rows": result_rows(plan, rounds),
            "targets": allocator_targets.results(plan, rounds)}


# What the programs call it, and what it is called in results.
FIGURES = {"quiet_ns": "quiet_ns", "median_ns": "median_ns",
           "cpu_ns": "cpu_ns", "resident_per_live": "resident_per_live",
           "resident_per_live_after": "resident_per_live_after"}


def repetition(figures):
    one = {"kept": kept(figures)}
    if "floor_ns" in figures:
        one |= {"floor_before_ns": figures["floor_ns"],
                "floor_after_ns": figures["floor_ns"]
                                  * (1 + figures.get("floor_drift", 0))}
    one |= {name: figures[theirs] for theirs, name in FIGURES.items()
            if theirs in figures}
    if "quiet_ns" not in figures:  # nobody waits for anybody
        one["cpu_ns"] = figures["cpu_time"]
    return one


def result_rows(plan, rounds):
    """As all suites return them: a row per cell and peer, a repetition per
    round."""
    rows = []
    for cell in plan:
        parameters = ({"length_bytes": int(cell.argument)}
                      if cell.argument.isdigit() else
                      {"mix": cell.argument} if cell.argument else {})
        for peer in rounds.peers:
            found = [one.get(cell, {}).get(peer) for one in rounds.rounds]
            if not any(found):
                continue
            repetitions = [repetition(figures) if figures else {"kept": False}
                           for figures in found]
            names = {name for one in repetitions for name in one}
            rows.append({
                "question": cell.workload, "peer": peer,
                "parameters": parameters,
                "figures": {name: "lower" for name in FIGURES.values()
                            if name in names},
                "repetitions": repetitions})
    return rows


def number_text(value):
    if value != value:
        return "-"
    return f"{value:.2f}" if value < 10 else (
        f"{value:.1f}" if value < 100 else f"{value:,.0f}")


def table(rounds, head, rows, peers, ratios):
    """rows: [(title, cell, figure)]; ratios: [(one peer, another)]."""
    if not rows:
        return
    print("  " + head)
    peers = [peer for peer in peers if peer in rounds.peers]
    ratios = [(a, b) for a, b in ratios
              if a in rounds.peers and b in rounds.peers]
    lines = []
    for title, cell, figure in rows:
        line = [title]
        line += [number_text(tables.median(rounds.values(cell, peer, figure)))
                 for peer in peers]
        line += [tables.ratio_text(rounds.ratios((cell, a), (cell, b), figure))
                 for a, b in ratios]
        lines.append(line)
    tables.show(["", *peers, *(f"{a} / {b}" for a, b in ratios)], lines)
    print()


def show(plan, rounds):
    print(f"\n  Medians of {len(rounds.rounds)} rounds; ratios are taken per "
          "round: median (least .. most)\n")
    able = {workload: [name for name, peer in PEERS.items()
                       if workload in peer.workloads]
            for workload in ("pair", "threads", "processes", "mixed")}

    table(rounds, "alloc + free, one thread, ns of CPU time",
          [(c.title, c, "cpu_time") for c in plan
           if c.workload in ("pair", "batch")], able["pair"], RATIOS)
    table(rounds, "one thread allocates, another frees, ns per message",
          [(c.title, c, "quiet_ns") for c in plan
           if c.workload.startswith("threads")], able["threads"], RATIOS)
    table(rounds, "one process allocates, another frees, ns per message",
          [(c.title, c, "quiet_ns") for c in plan
           if c.workload.startswith("processes")],
          able["processes"], [("boost", "zcb"), ("iceoryx", "zcb")])
    show_disturbance(rounds)
    table(rounds, "churn, ns per replacement: wall time, both threads at "
          "work; CPU time",
          [(f"churn, {clock}", c, figure) for c in plan
           if c.workload == "churn"
           for clock, figure in (("wall", "quiet_ns"), ("CPU", "cpu_ns"))],
          able["threads"], RATIOS)
    table(rounds, "mixed sizes: resident bytes per live byte; after nine of "
          "ten were freed; ns of CPU time per replacement",
          [(f"{c.title}{what}", c, figure)
           for what, figure in ((": resident / live", "resident_per_live"),
                                (": after the frees",
                                 "resident_per_live_after"),
                                (": ns", "cpu_time"))
           for c in plan if c.workload == "mixed"],
          able["mixed"], [("zcb", "jemalloc"), ("zcb", "mimalloc")])


def show_disturbance(rounds):
    everything = [figures for one_round in rounds.rounds
                  for cell, peers in one_round.items() if cell.is_hand_over
                  for figures in peers.values()]
    if not everything:
        return
    moved = [f for f in everything if not kept(f)]
    disturbed = [f for f in everything
                 if f["median_ns"] > DISTURBED * f["quiet_ns"]]
    low, middle, high = tables.spread([f["floor_ns"] for f in everything])
    print(f"  floor: {middle:.0f} ns ({low:.0f} .. {high:.0f}), a cache line "
          "from one CPU to the other. Ratios are left\n  out where the floors "
          f"of the two differ by more than {FLOOR_DIFFERENCE_LIMIT:.0%}, or "
          f"where one moved meanwhile ({len(moved)} of\n  {len(everything)}). "
          f"Disturbed, so that the median is over {DISTURBED} times the "
          f"figure: {len(disturbed)} of {len(everything)}.\n")
