"""Latency and stream: two pinned processes, one transport after the other."""

import json
import subprocess

from report import tables

PROGRAMS = ["latency", "stream"]
SPIN = ["zcb_cpg_next", "zcb_cpg_dispatch", "zcb_native", "bare_ring",
        "seqpacket_spin"]
SLEEP = ["zcb_cpg_poll", "seqpacket_block"]
SIZES = [64, 4096, 65536, 1 << 20]
QUICK_COUNT = {64: 2000, 4096: 2000, 65536: 500, 1 << 20: 50}


def measure(program, peer, size, touched, options):
    """One repetition in two new processes."""
    command = [program, "--json", f"--peer={peer}", f"--bytes={size}",
               f"--cpus={options.cpus}"]
    if touched:
        command.append("--touch")
    if options.quick:
        command.append(f"--count={QUICK_COUNT[size]}")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result = json.loads(done.stdout)
    row = result["repetitions"][0]
    row["pages"] = result["pages"]
    return row


def measure_all(program, options):
    """{(peer, size, touched): [repetition, ...]}; the peers take turns."""
    rounds = options.rounds or (1 if options.quick else 7)
    sizes = SIZES[:2] if options.quick else SIZES
    peers = SPIN + SLEEP
    cells = {(peer, size, touched): []
             for touched in (True, False) for size in sizes for peer in peers}
    for number in range(rounds):
        order = list(cells) if number % 2 == 0 else list(cells)[::-1]
        for peer, size, touched in order:
            cells[peer, size, touched].append(
                measure(program, peer, size, touched, options))
    return cells


def kept(repetitions):
    return [row for row in repetitions if row["kept"]]


def floor(row):
    return (row["floor_before_ns"] + row["floor_after_ns"]) / 2


def round_ratios(cells, ours, theirs, figure):
    """ours / theirs per round, where both were kept."""
    return [a[figure] / b[figure]
            for a, b in zip(cells[ours], cells[theirs])
            if a["kept"] and b["kept"]]


def show_dropped(cells):
    everything = [row for rows in cells.values() for row in rows]
    dropped = len(everything) - len(kept(everything))
    pages = sorted({row["pages"] for row in everything if row["pages"]})
    print(f"  {dropped} of {len(everything)} repetitions dropped: the floor "
          "moved by more than 15 % meanwhile")
    print(f"  floor, one way: "
          f"{tables.median([floor(r) for r in kept(everything)]):.0f} ns "
          "through one cache line, "
          f"{tables.median([r['two_line_floor_ns'] for r in kept(everything)]):.0f}"
          " ns with a line for each direction")
    print(f"  region: {', '.join(pages) or 'none'}\n")


def headline(touched, size, what):
    touch = "every byte written and read" if touched else "first 8 bytes only"
    return f"{tables.size_text(size)}, {touch}: {what}"


def against(cells, peer, rival, size, touched, figure):
    """peer / rival per round, as text; "-" where that says nothing."""
    if peer == rival or (peer in SLEEP) != (rival in SLEEP):
        return "-"
    return tables.ratio_text(round_ratios(
        cells, (peer, size, touched), (rival, size, touched), figure))


def socket_like(peer):
    return "seqpacket_block" if peer in SLEEP else "seqpacket_spin"


def latency_rows(cells, peers, touched, size):
    for peer in peers:
        rows = kept(cells[peer, size, touched])
        low, middle, high = tables.spread([r["p50_ns"] for r in rows])
        yield [peer, tables.time_text(middle),
               f"{tables.time_text(low)} .. {tables.time_text(high)}",
               *(tables.time_text(tables.median([r[f] for r in rows]))
                 for f in ("p90_ns", "p99_ns", "max_ns")),
               tables.ratio_text([r["p50_ns"] / floor(r) for r in rows]),
               against(cells, peer, "bare_ring", size, touched, "p50_ns"),
               against(cells, peer, socket_like(peer), size, touched,
                       "p50_ns")]


def latency(programs, options):
    cells = measure_all(programs / "latency", options)
    show_dropped(cells)
    for touched in (True, False):
        for size in sorted({key[1] for key in cells}):
            print("  " + headline(touched, size, "one way"))
            tables.show(
                ["", "p50", "spread of p50", "p90", "p99", "max",
                 "p50 / floor", "p50 / bare ring", "p50 / SEQPACKET"],
                list(latency_rows(cells, SPIN + SLEEP, touched, size)))
            print()
    return as_json(cells)


def stream_rows(cells, peers, touched, size):
    for peer in peers:
        rows = kept(cells[peer, size, touched])
        low, middle, high = tables.spread([r["messages_per_s"] for r in rows])
        yield [peer, f"{middle:,.0f}", f"{low:,.0f} .. {high:,.0f}",
               f"{tables.median([r['MB_per_s'] for r in rows]):,.0f}",
               against(cells, peer, "bare_ring", size, touched,
                       "messages_per_s"),
               against(cells, peer, socket_like(peer), size, touched,
                       "messages_per_s")]


def stream(programs, options):
    cells = measure_all(programs / "stream", options)
    show_dropped(cells)
    for touched in (True, False):
        for size in sorted({key[1] for key in cells}):
            print("  " + headline(touched, size, "one sender, one receiver"))
            tables.show(
                ["", "messages/s", "spread", "MB/s", "rate / bare ring",
                 "rate / SEQPACKET"],
                list(stream_rows(cells, SPIN + SLEEP, touched, size)))
            print()
    return as_json(cells)


def as_json(cells):
    return [{"peer": peer, "length_bytes": size, "touched": touched,
             "repetitions": rows}
            for (peer, size, touched), rows in cells.items()]
