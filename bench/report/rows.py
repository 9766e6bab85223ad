"""Rows: what every suite returns, and what draws, prints and compares works on.

    {"question": "one_way", "peer": "iceoryx",
     "parameters": {"length_bytes": 64, "touched": True, "wait": "busy"},
     "figures": {"p50_ns": "lower", "p99_ns": "lower"},
     "repetitions": [{"kept": True, "floor_before_ns": 55.0,
                      "floor_after_ns": 56.1, "p50_ns": 280.0}, ...]}

Floors are peers, too, and called "floor_...". Repetition k of all rows of a
suite was taken in round k, so a ratio is one of two figures of one round.
"""

import math

from report import tables

BETTER = ("lower", "higher")

# How a parameter is written; by default its name and its value.
PARAMETER_TEXTS = {
    "length_bytes": tables.size_text,
    "touched": lambda value: "touched" if value else "untouched",
    "wait": lambda value: {"busy": "busy", "sleep": "asleep"}.get(value, value),
    "pages": lambda value: f"{value} pages",
    "region_mib": lambda value: f"region {tables.size_text(value << 20)}",
}


def problem(row):
    """What is wrong with a row, or ''."""
    for name in ("question", "peer", "parameters", "figures", "repetitions"):
        if name not in row:
            return f"no {name}"
    if not row["figures"]:
        return "no figures"
    for figure, better in row["figures"].items():
        if better not in BETTER:
            return f"{figure} is neither lower nor higher, but {better!r}"
        if not any(figure in one for one in row["repetitions"]):
            return f"no repetition has {figure}"
    for value in row["parameters"].values():
        if not isinstance(value, (bool, int, float, str)):
            return f"a parameter that is no plain value: {value!r}"
    return ""


def of_suite(result):
    """(rows, targets) of what a suite returned."""
    rows = result if isinstance(result, list) else result.get("rows", [])
    for row in rows:
        wrong = problem(row)
        if wrong:
            raise ValueError(f"bad row: {wrong}: {row.get('question')}, "
                             f"{row.get('peer')}, {row.get('parameters')}")
    targets = [] if isinstance(result, list) else result.get("targets", [])
    return rows, targets


def of_results(results):
    """{suite: (rows, targets)} of a whole result file."""
    return {name: of_suite(result)
            for name, result in results["suites"].items()}


def key(row):
    """What identifies a row in every run of its suite."""
    return (row["question"], row["peer"],
            tuple(sorted(row["parameters"].items())))


def is_floor(peer):
    return peer.startswith("floor_")


def is_ours(peer):
    return peer == "zcb" or peer.startswith("zcb_")


def is_number(value):
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value))


def kept(row):
    return [one for one in row["repetitions"] if one.get("kept", True)]


def values(row, figure):
    """Of the repetitions that were kept."""
    return [one[figure] for one in kept(row) if is_number(one.get(figure))]


def floor_ns(repetition):
    """Of one repetition; None where none was taken."""
    ends = [repetition.get("floor_before_ns"), repetition.get("floor_after_ns")]
    if not all(is_number(end) and end > 0 for end in ends):
        return None
    return sum(ends) / 2


def ratios(ours, theirs, figure):
    """ours / theirs per round, where both were kept."""
    found = []
    for a, b in zip(ours["repetitions"], theirs["repetitions"]):
        if not (a.get("kept", True) and b.get("kept", True)):
            continue
        if is_number(a.get(figure)) and is_number(b.get(figure)) and b[figure]:
            found.append(a[figure] / b[figure])
    return found


def parameter_text(name, value):
    if name in PARAMETER_TEXTS:
        return PARAMETER_TEXTS[name](value)
    if isinstance(value, bool):
        return name.replace("_", " ") if value else f"not {name}"
    if isinstance(value, (int, float)):
        if value == 1 and name.endswith("s"):
            name = name[:-1]
        return f"{value:,} {name.replace('_', ' ')}"
    return str(value)


def parameters_text(parameters):
    return ", ".join(parameter_text(*item) for item in parameters.items())


def title(row):
    return ", ".join(filter(None, (row["question"].replace("_", " "),
                                   parameters_text(row["parameters"]))))
