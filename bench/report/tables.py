"""Aligned tables, and the few statistics that are needed."""

import statistics


def median(values):
    return statistics.median(values) if values else float("nan")


def spread(values):
    """(least, median, most)."""
    if not values:
        nan = float("nan")
        return nan, nan, nan
    return min(values), median(values), max(values)


def size_text(length_bytes):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if length_bytes >= unit and length_bytes % unit == 0:
            return f"{length_bytes // unit} {name}"
    return f"{length_bytes} B"


def time_text(ns):
    if ns != ns:
        return "-"
    if ns < 100:
        return f"{ns:.1f} ns"
    if ns < 10_000:
        return f"{ns:.0f} ns"
    if ns < 10_000_000:
        return f"{ns / 1e3:.1f} us"
    return f"{ns / 1e6:.1f} ms"


def ratio_text(values):
    """Median of ratios, and how far apart they were."""
    low, middle, high = spread(values)
    if middle != middle:
        return "-"
    digits = 2 if middle >= 0.1 else 3
    return f"{middle:.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})"


def show(head, rows):
    """Prints a table: first column to the left, the others to the right."""
    cells = [head, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for number, row in enumerate(cells):
        line = [row[0].ljust(widths[0])]
        line += [row[i].rjust(widths[i]) for i in range(1, len(row))]
        print("  " + "  ".join(line))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
