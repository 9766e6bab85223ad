"""Programs that measure once per run, between two floors
(bench/processes/measured_once.h): each run gives one repetition of each of its
rows, and the programs take turns."""

import dataclasses
import json
import subprocess

from report import progress, tables

# A repetition between floors that differ by more was taken on two machines.
FLOOR_DRIFT_LIMIT = 0.15
HIGHER = ("_per_s", "least_share")


@dataclasses.dataclass
class Row:
    """One row of the results, filled repetition by repetition. `figures`: its
    names, by the names that the program has for them."""
    question: str
    peer: str
    parameters: dict
    figures: dict
    repetitions: list = dataclasses.field(default_factory=list)

    def add(self, measured):
        low, high = sorted((measured["floor_before_ns"],
                            measured["floor_after_ns"]))
        one = {"kept": high <= low * (1 + FLOOR_DRIFT_LIMIT),
               "floor_before_ns": measured["floor_before_ns"],
               "floor_after_ns": measured["floor_after_ns"]}
        one |= {name: measured[theirs]
                for theirs, name in self.figures.items()}
        self.repetitions.append(one)

    def values(self, figure):
        return [one[figure] for one in self.repetitions if one["kept"]]

    def as_row(self):
        return {"question": self.question, "peer": self.peer,
                "parameters": self.parameters,
                "figures": {name: "higher" if name.endswith(HIGHER)
                            else "lower" for name in self.figures.values()},
                "repetitions": self.repetitions}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One way to call a program, and the rows that come of it."""
    program: str
    arguments: tuple
    rows: tuple


def same_names(*names):
    return {name: name for name in names}


def measure(programs, cells, rounds, cpus):
    """Every cell once in each round, forwards and backwards in turn."""
    progress.current.plan(rounds * len(cells))
    for number in range(rounds):
        for cell in cells if number % 2 == 0 else cells[::-1]:
            progress.current.step(" ".join((cell.program, *cell.arguments)))
            done = subprocess.run(
                [programs / cell.program, "--json", f"--cpus={cpus}",
                 *cell.arguments], check=True, text=True,
                stdout=subprocess.PIPE)
            measured = json.loads(done.stdout)
            for row in cell.rows:
                row.add(measured)
        print(f"  round {number + 1} done", flush=True)


def rows_of(cells):
    return [row for cell in cells for row in cell.rows]


def find(cells, question, peer, **parameters):
    for row in rows_of(cells):
        if (row.question == question and row.peer == peer
                and row.parameters == parameters):
            return row
    return None


def per_round(first, second, figure, combine):
    """combine(a, b) of two rows per round, where both were kept."""
    if not first or not second:
        return []
    return [combine(a[figure], b[figure])
            for a, b in zip(first.repetitions, second.repetitions)
            if a["kept"] and b["kept"]]


def number_text(name, value):
    if value != value:
        return "-"
    for ending, scale in (("_per_s", 0), ("_ns", 1), ("_us", 1e3),
                          ("_ms", 1e6)):
        if name.endswith(ending):
            return tables.time_text(value * scale) if scale else f"{value:,.0f}"
    if name.endswith("_bytes"):
        return f"{value:,.0f}" if value < 1e6 else f"{value / 2 ** 20:.1f} MiB"
    return f"{value:.3f}"


def heading(figure):
    for ending in ("_ns", "_us", "_bytes"):
        figure = figure.removesuffix(ending)
    return figure.removesuffix("_p50").replace("_per_s", "/s").replace("_", " ")


def cell_text(row, figure):
    """Median, and how far apart the repetitions were."""
    low, middle, high = tables.spread(row.values(figure))
    text = number_text(figure, middle)
    if low < high:
        text += f" (x{high / low:.2f})" if low > 0 else ""
    return text


def show(cells, question, head):
    """One line per row of the question, one column per figure. Rows with other
    figures begin a table of their own."""
    rows = [row for row in rows_of(cells) if row.question == question]
    print("  " + head)
    while rows:
        figures = list(rows[0].figures.values())
        alike = [row for row in rows if list(row.figures.values()) == figures]
        rows = [row for row in rows if row not in alike]
        tables.show(
            ["", *(heading(figure) for figure in figures)],
            [[", ".join([row.peer, *(f"{name.replace('_', ' ')} {value}"
                                     for name, value in row.parameters.items())]),
              *(cell_text(row, figure) for figure in figures)]
             for row in alike])
        print()


def show_dropped(cells):
    everything = [one for row in rows_of(cells) for one in row.repetitions]
    dropped = sum(not one["kept"] for one in everything)
    floors = [one["floor_before_ns"] for one in everything]
    print(f"\n  {dropped} of {len(everything)} repetitions dropped: the floor "
          f"moved by more than {FLOOR_DRIFT_LIMIT:.0%} meanwhile\n"
          f"  floor: {tables.median(floors):.0f} ns, a cache line from one CPU "
          "to the other. Medians of the\n  repetitions; in brackets the most "
          "over the least of them.\n")


def target(what, limit_text, values, text, is_met):
    """As all suites return them; not measured where there are no values."""
    measured = tables.median(values)
    known = measured == measured
    return {"what": what, "limit": limit_text,
            "measured": measured if known else None,
            "text": text(values) if known else "-",
            "met": is_met(measured) if known else None}


def show_targets(targets):
    words = {True: "met", False: "NOT MET", None: "not measured"}
    print("  targets")
    tables.show(["", "target", "measured", "verdict"],
                [[one["what"], one["limit"], one["text"], words[one["met"]]]
                 for one in targets])
    print(f"  {len(targets)} targets: "
          f"{sum(one['met'] is not True for one in targets)} not met")


def conclude(cells, verdicts):
    """What a suite returns, once its targets are on the screen."""
    show_targets(verdicts)
    return {"rows": [row.as_row() for row in rows_of(cells)],
            "targets": verdicts}
