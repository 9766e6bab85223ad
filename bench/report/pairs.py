"""Messages between two processes: zcb and its peers in turns."""

import pathlib
import shutil
import subprocess

from report import pair_peers, pair_targets, tables
from report.pair_runs import Measurement
from report.pair_targets import floor_ns

ROOT = pathlib.Path(__file__).resolve().parents[2]
WITH_COROSYNC = ROOT / "tests" / "conformance" / "with_corosync.sh"


def prepare(root, options):
    """Builds the programs, once for both suites."""
    if not hasattr(options, "pair_programs"):
        options.pair_programs = pair_peers.build(root, options)


def built_before(programs, options):
    return [name for name in pair_peers.PROGRAMS
            if options.selection.wants(name, pair_peers.BY_DEFAULT)
            and (programs / "peers" / name).exists()]


def corosync_command(options):
    """The words that start a command beside a Corosync; none if that fails."""
    if not shutil.which("corosync", path="/usr/sbin:/sbin:/usr/bin"):
        options.selection.skip("corosync", "not installed: corosync")
        return []
    # At real-time priority, as its service runs: both sides spin, and it would
    # wait for a CPU of theirs.
    command = ["env", "ZCB_COROSYNC_SCHED_RR=yes", WITH_COROSYNC]
    done = subprocess.run([*command, "true"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return command
    words = done.stderr.strip().splitlines()[-1:] or ["no word"]
    options.selection.skip("corosync", f"cannot be started: {words[0]}")
    return []


def measure(command, programs, options):
    names = getattr(options, "pair_programs", None) or built_before(
        programs, options)
    with_corosync = []
    if ("corosync_cpg" in names and command != "copy"
            and options.selection.wants("corosync", {"corosync"})):
        with_corosync = corosync_command(options)
    variants = []
    for name in names:
        if (name == "floor_memcpy") != (command == "copy"):
            continue
        variants += pair_peers.variants_of(programs / "peers", name)
        if name == "corosync_cpg" and with_corosync:
            variants += pair_peers.variants_of(programs / "peers", name, True)
    measured = Measurement(command, programs, variants, options,
                           with_corosync).run()
    if not options.quick:
        for peer, largest in left_out(variants).items():
            print(f"  left out: {peer} beyond its largest message, "
                  f"{tables.size_text(largest)}")
    for (peer, wait), why in measured.failed.items():
        options.selection.skip(f"{peer}, {wait}", f"failed: {why}")
    return measured


def left_out(variants):
    """{peer: its largest message} of those that cannot have all sizes."""
    return {variant.peer: variant.largest_bytes for variant in variants
            if variant.largest_bytes < max(variant.sizes())}


def kept(row):
    return [one for one in row["repetitions"] if one["kept"]]


def show_machine(rows):
    """The floor, and how far the machine can be believed."""
    everything = [one for row in rows.values() for one in row["repetitions"]
                  if "floor_before_ns" in one]
    believed = [one for one in everything if one["kept"]]
    dropped = len(everything) - len(believed)
    disturbed = sum(one["disturbed"] for one in everything)
    pages = sorted({row["pages"] for row in rows.values() if row["pages"]})
    low, middle, high = tables.spread([floor_ns(one) for one in believed])
    print(f"\n  {dropped} of {len(everything)} repetitions dropped: the floor "
          "moved by more than 15 % meanwhile.\n"
          f"  In {disturbed} others had more than 5 % of the machine, or the "
          "hypervisor kept as much.\n"
          f"  floor, one way: {middle:.0f} ns ({low:.0f} .. {high:.0f}) "
          "through one cache line, "
          f"{tables.median([o['two_line_floor_ns'] for o in believed]):.0f} ns "
          "with one for each direction\n"
          f"  region: {', '.join(pages) or 'none'}\n")


def title(wait, size, touched, what):
    touch = "every byte written and read" if touched else "first 8 bytes only"
    rest = "busy" if wait == "busy" else "asleep in between"
    return f"{tables.size_text(size)}, {rest}, {touch}: {what}"


def tables_of(rows):
    """[((wait, size, touched), [row, ...])] in order."""
    found = {}
    for (_, wait, size, touched), row in rows.items():
        found.setdefault((wait, size, touched), []).append(row)
    return sorted(found.items(),
                  key=lambda item: (not item[0][2], item[0][0], item[0][1]))


def against(rows, row, rival, figure):
    """Per round, as text; "-" where there is no such row."""
    parameters = row["parameters"]
    key = (rival, parameters["wait"], parameters["length_bytes"],
           parameters["touched"])
    if key not in rows or row["peer"] == rival:
        return "-"
    ours = (row["peer"], *key[1:])
    return tables.ratio_text(
        pair_targets.Results(rows).ratios(ours, key, figure))


def hand_over_floor(wait):
    return "floor_hand_over" if wait == "busy" else "floor_futex"


def latency_rows(rows, group):
    for row in group:
        ones = kept(row)
        low, middle, high = tables.spread([one["p50_ns"] for one in ones])
        floor = hand_over_floor(row["parameters"]["wait"])
        yield [row["peer"], tables.time_text(middle),
               f"{tables.time_text(low)} .. {tables.time_text(high)}",
               *(tables.time_text(tables.median([one[f] for one in ones]))
                 for f in ("p90_ns", "p99_ns", "p999_ns", "max_ns")),
               tables.ratio_text([one["p50_ns"] / floor_ns(one)
                                  for one in ones]),
               against(rows, row, floor, "p50_ns")]


def latency(programs, options):
    rows = measure("latency", programs, options).rows
    show_machine(rows)
    for (wait, size, touched), group in tables_of(rows):
        print("  " + title(wait, size, touched, "one way"))
        tables.show(["", "p50", "spread of p50", "p90", "p99", "p99.9", "max",
                     "p50 / one line", f"p50 / {hand_over_floor(wait)}"],
                    list(latency_rows(rows, group)))
        print()
    return finish(rows, list(pair_targets.latency(rows, options.quick)))


def stream_rows(rows, group):
    for row in group:
        ones = kept(row)
        low, middle, high = tables.spread([o["messages_per_s"] for o in ones])
        mega = tables.median([one["bytes_per_s"] for one in ones]) / 1e6
        yield [row["peer"], f"{middle:,.0f}", f"{low:,.0f} .. {high:,.0f}",
               f"{mega:,.0f}",
               against(rows, row, hand_over_floor(row["parameters"]["wait"]),
                       "messages_per_s")]


def stream(programs, options):
    rows = measure("stream", programs, options).rows
    show_machine(rows)
    for (wait, size, touched), group in tables_of(rows):
        print("  " + title(wait, size, touched, "one sender, one receiver"))
        tables.show(["", "messages/s", "spread", "MB/s",
                     f"rate / {hand_over_floor(wait)}"],
                    list(stream_rows(rows, group)))
        print()
    copies = measure("copy", programs, options).rows
    show_copies(copies)
    return finish(rows | copies, list(pair_targets.stream(rows, options.quick)))


def show_copies(rows):
    print("  one memcpy(3) in one process, buffers rotating over 4 MiB")
    lines = []
    for (_, _, size, touched), row in rows.items():
        ones = kept(row)
        if touched:
            lines.append([
                tables.size_text(size),
                *(tables.time_text(tables.median([one[f] for one in ones]))
                  for f in ("p50_ns", "p99_ns")),
                f"{tables.median([o['bytes_per_s'] for o in ones]) / 1e6:,.0f}"])
    tables.show(["", "p50", "p99", "MB/s"], lines)
    print()


def finish(rows, targets):
    pair_targets.show(targets)
    return {"rows": list(rows.values()),
            "targets": [target.as_json() for target in targets]}
