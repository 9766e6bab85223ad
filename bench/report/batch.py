"""Batches: messages per call, and which buffer is to be written next."""

from report import tables
from report.measured import (Cell, Row, find, measure, number_text, per_round,
                             rows_of, same_names, show_dropped)

PROGRAMS = ["batch", "reuse"]
TARGETS = ["//bench/batch:" + name for name in PROGRAMS]

# Messages per send, and per receive; 0 is one call per message.
SIZES = [(0, 0), (1, 1), (4, 4), (16, 16), (64, 64), (16, 0), (0, 16)]
MIB = 1 << 20
LENGTHS = [4096, 65536]
ORDERS = [("lifo", 4 * MIB),
          *(("fifo", size) for size in (MIB // 4, MIB, 2 * MIB, 4 * MIB,
                                        8 * MIB, 32 * MIB)),
          ("zcb", 0)]
WINDOW = 8


def batch_parameters(send, receive):
    return {"length_bytes": 64, "touched": True, "sent_per_call": send,
            "received_per_call": receive}


def batches(quick):
    return [Cell("batch/batch",
                 (f"--send={send}", f"--receive={receive}",
                  f"--count={20_000 if quick else 500_000}"),
                 (Row("batch", "zcb_cpg", batch_parameters(send, receive),
                      same_names("messages_per_s")),))
            for send, receive in SIZES]


def peer_of(order):
    return "zcb_cpg" if order == "zcb" else "floor_" + order


def reuse_parameters(length, rotate):
    return {"length_bytes": length, "touched": True, "rotate_mib": rotate / MIB}


def reuses(quick):
    return [Cell("batch/reuse",
                 (f"--order={order}", f"--bytes={length}",
                  f"--rotate={rotate}", f"--window={WINDOW}",
                  *(["--count=100"] if quick else [])),
                 (Row("reuse", peer_of(order), reuse_parameters(length, rotate),
                      same_names("write_p50_ns", "write_p90_ns",
                                 "messages_per_s")),))
            for length in LENGTHS for order, rotate in ORDERS]


def ratio_text(ours, theirs, figure):
    return tables.ratio_text(
        per_round(ours, theirs, figure, lambda a, b: a / b))


def size_name(*sizes):
    return " / ".join(str(size) if size else "-" for size in sizes)


def show_batches(cells):
    print("  64 B, every byte written and read: one sender, one receiver\n")
    by_sizes = {sizes: find(cells, "batch", "zcb_cpg",
                            **batch_parameters(*sizes)) for sizes in SIZES}
    lines = []
    for sizes, row in by_sizes.items():
        low, middle, high = (
            number_text("messages_per_s", value)
            for value in tables.spread(row.values("messages_per_s")))
        lines.append([size_name(*sizes), middle, f"{low} .. {high}",
                      ratio_text(row, by_sizes[0, 0], "messages_per_s")])
    tables.show(["sent / received per call", "messages/s", "spread",
                 "/ one call each"], lines)


def show_reuse(cells, length):
    print(f"\n  writing {tables.size_text(length)} that the other side has"
          f" read, at most {WINDOW} on their way\n")
    lifo = find(cells, "reuse", "floor_lifo",
                **reuse_parameters(length, 4 * MIB))
    lines = []
    for order, rotate in ORDERS:
        row = find(cells, "reuse", peer_of(order),
                   **reuse_parameters(length, rotate))
        low, middle, high = tables.spread(row.values("write_p50_ns"))
        lines.append([
            order + (f" of {tables.size_text(rotate)}"
                     if order == "fifo" else ""),
            tables.time_text(middle),
            f"{tables.time_text(low)} .. {tables.time_text(high)}",
            ratio_text(row, lifo, "write_p50_ns")])
    tables.show(["order", "write, p50", "spread", "/ lifo"], lines)


def run(programs, options):
    cells = [*batches(options.quick), *reuses(options.quick)]
    measure(programs, cells, options.rounds or (1 if options.quick else 7),
            options.cpus)
    show_dropped(cells)
    show_batches(cells)
    for length in LENGTHS:
        show_reuse(cells, length)
    return [row.as_row() for row in rows_of(cells)]
