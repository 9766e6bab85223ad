"""Figures carry their unit at the end of their name; here is what it says."""

import re

from report import tables

# Ending, how many of the base unit, base unit.
TIMES = (("_ns", 1), ("_us", 1e3), ("_ms", 1e6), ("_s", 1e9))
UNKNOWN = "-"
PERCENTILE = re.compile(
    r"(?P<what>.+_)?(?P<share>p\d\d(?:_?\d+)?|max)_(?:ns|us|ms|s)")


def is_rate(figure):
    return figure.endswith("_per_s")


def time_scale_ns(figure):
    """ns in one unit of a time; 0 for what is no time."""
    if is_rate(figure):
        return 0
    for ending, scale in TIMES:
        if figure.endswith(ending):
            return scale
    return 0


def quantile_of(figure):
    """0.99 of "p99_ns", 1.0 of "max_ns"; None of what is no percentile, or one
    of something in particular ("send_p99_ns")."""
    found = PERCENTILE.fullmatch(figure)
    if not found or found["what"]:
        return None
    return share_of(found["share"])


def share_of(word):
    """0.999 of "p99_9" and "p999"."""
    if word == "max":
        return 1.0
    digits = word[1:].replace("_", "")
    return float(f"{digits[:2]}.{digits[2:] or 0}") / 100


def family_of(figure):
    """("send", 0.99) of "send_p99_ns"; (the figure, None) of others."""
    found = PERCENTILE.fullmatch(figure)
    if not found:
        return figure, None
    return (found["what"] or "").rstrip("_"), share_of(found["share"])


def rate_text(value):
    for scale, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= scale:
            return short(value / scale) + letter + "/s"
    return short(value) + "/s"


def bytes_text(value):
    for scale, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= scale:
            return f"{short(value / scale)} {name}"
    return f"{short(value)} B"


def short(value):
    """Three digits that say something."""
    size = abs(value)
    if size >= 100 or abs(value - round(value)) < 1e-9 * size:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.2g}"


def tick_text(figure, value):
    """At an axis: "1 us" where a table has "1000 ns"."""
    scale = time_scale_ns(figure)
    if not scale:
        return text(figure, value)
    for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if value * scale >= size * 0.999999:
            return f"{short(value * scale / size)} {name}"
    return f"{short(value * scale)} ns"


def text(figure, value):
    if value is None or value != value:
        return UNKNOWN
    scale = time_scale_ns(figure)
    if scale:
        return tables.time_text(value * scale)
    if figure.endswith("MB_per_s"):
        return f"{short(value)} MB/s"
    if is_rate(figure):
        return rate_text(value)
    if figure.endswith("bytes"):
        return bytes_text(value)
    return short(value)


def name(figure):
    """What a reader sees: "p99", "messages/s", "resident"."""
    quantile = quantile_of(figure)
    if quantile is not None:
        return "max" if quantile == 1 else f"p{quantile * 100:g}"
    if is_rate(figure):
        return figure[:-len("_per_s")].replace("_", " ") + "/s"
    for ending in ("_ns", "_us", "_ms", "_s", "_bytes"):
        if figure.endswith(ending):
            figure = figure[:-len(ending)]
            break
    return figure.replace("_", " ")
