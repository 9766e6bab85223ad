"""Batches: messages per call, and which buffer is to be written next."""

import json
import subprocess

from report import tables

PROGRAMS = ["batch/batch", "batch/reuse"]
# Messages per send, and per receive; 0 is one call per message.
SIZES = [(0, 0), (1, 1), (4, 4), (16, 16), (64, 64), (16, 0), (0, 16)]
MIB = 1 << 20
LENGTHS = [4096, 65536]
ROTATIONS = [MIB // 4, MIB, 2 * MIB, 4 * MIB, 8 * MIB, 32 * MIB]
WINDOW = 8
FLOOR_DRIFT = 1.15


def call(program, *arguments):
    done = subprocess.run([program, *arguments], check=True,
                          stdout=subprocess.PIPE)
    figures = json.loads(done.stdout)
    floors = figures["floor_before_ns"], figures["floor_after_ns"]
    return {"kept": max(floors) <= FLOOR_DRIFT * min(floors), **figures}


def in_turns(cells, rounds):
    """{name: [repetition, ...]} of {name: how to measure it}; forwards, then
    backwards, so that what drifts meets all of them alike."""
    taken = {name: [] for name in cells}
    for number in range(rounds):
        for name in list(cells)[::1 if number % 2 == 0 else -1]:
            taken[name].append(cells[name]())
    return taken


def ratios(ours, theirs, figure):
    return [a[figure] / b[figure] for a, b in zip(ours, theirs)
            if a["kept"] and b["kept"]]


def values(repetitions, figure):
    return [row[figure] for row in repetitions if row["kept"]]


def size_name(sizes):
    return " / ".join(str(size) if size else "-" for size in sizes)


def rates(programs, options, rounds):
    count = "--count=" + ("20000" if options.quick else "500000")
    cells = {(send, receive): lambda send=send, receive=receive: call(
        programs / PROGRAMS[0], count, f"--send={send}",
        f"--receive={receive}", "--cpus=" + options.cpus)
        for send, receive in SIZES}
    taken = in_turns(cells, rounds)
    print("  64 B, every byte written and read: one sender, one receiver\n")
    lines = []
    for sizes, repetitions in taken.items():
        low, middle, high = tables.spread(values(repetitions, "messages_per_s"))
        lines.append([size_name(sizes), f"{middle:,.0f}",
                      f"{low:,.0f} .. {high:,.0f}",
                      tables.ratio_text(ratios(repetitions, taken[0, 0],
                                               "messages_per_s"))])
    tables.show(["sent / received per call", "messages/s", "spread",
                 "/ one call each"], lines)
    return [{"question": "batch", "peer": "zcb_cpg",
             "parameters": {"length_bytes": 64, "touched": True,
                            "sent_per_call": send,
                            "received_per_call": receive},
             "figures": {"messages_per_s": "higher"},
             "repetitions": repetitions}
            for (send, receive), repetitions in taken.items()]


def reuse_cell(programs, options, length, order, rotate):
    count = ["--count=100"] if options.quick else []
    return lambda: call(programs / PROGRAMS[1], f"--order={order}",
                        f"--bytes={length}", f"--rotate={rotate}",
                        f"--window={WINDOW}", "--cpus=" + options.cpus, *count)


def reuse(programs, options, rounds):
    orders = [("lifo", 4 * MIB), *(("fifo", size) for size in ROTATIONS),
              ("zcb", 0)]
    cells = {(length, order, rotate): reuse_cell(programs, options, length,
                                                 order, rotate)
             for length in LENGTHS for order, rotate in orders}
    taken = in_turns(cells, rounds)
    for length in LENGTHS:
        print(f"\n  writing {tables.size_text(length)} that the other side has"
              f" read, at most {WINDOW} on their way\n")
        lines = []
        for order, rotate in orders:
            repetitions = taken[length, order, rotate]
            low, middle, high = tables.spread(
                values(repetitions, "write_p50_ns"))
            lines.append([
                order + (f" of {tables.size_text(rotate)}"
                         if order == "fifo" else ""),
                tables.time_text(middle),
                f"{tables.time_text(low)} .. {tables.time_text(high)}",
                tables.ratio_text(ratios(repetitions,
                                         taken[length, "lifo", 4 * MIB],
                                         "write_p50_ns"))])
        tables.show(["order", "write, p50", "spread", "/ lifo"], lines)
    return [{"question": "reuse", "peer": peer_name(order),
             "parameters": {"length_bytes": length, "touched": True,
                            "rotate_mib": rotate / MIB},
             "figures": {"write_p50_ns": "lower", "write_p90_ns": "lower",
                         "messages_per_s": "higher"},
             "repetitions": repetitions}
            for (length, order, rotate), repetitions in taken.items()]


def peer_name(order):
    return "zcb_cpg" if order == "zcb" else "floor_" + order


def run(programs, options):
    rounds = options.rounds or (1 if options.quick else 7)
    return [*rates(programs, options, rounds),
            *reuse(programs, options, rounds)]
