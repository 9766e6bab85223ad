"""Do two result files differ beyond noise?

A figure of a row differs where all of these say so, in the same direction:

- Mann-Whitney over the repetitions that were kept, at ALPHA;
- the same once each time is divided by the floor of its own repetition, and each
  rate multiplied by it, where there are floors: otherwise it is the machine that
  changed;
- the medians differ by more than two runs of unchanged code do. Repetitions of
  one run have much in common that the next run has not (where the vCPUs are, how
  memory lies), which no test over them can see. The rows of the peers show it:
  they did not change. DRIFT_SHARE of their differences in the same figure lie
  within the limit, and it is never less than LEAST_EFFECT.
"""

import dataclasses
import json
import math
import pathlib
import statistics

from report import rows, two_samples, tables, units

ALPHA = 0.01
LEAST_EFFECT = 0.05
DRIFT_SHARE = 0.9
LEAST_CONTROLS = 5  # peers' rows, for their drift to say something


@dataclasses.dataclass(frozen=True)
class Pair:
    """One figure of one row in both files."""
    suite: str
    before: dict
    after: dict
    figure: str

    @property
    def samples(self):
        return (rows.values(self.before, self.figure),
                rows.values(self.after, self.figure))

    @property
    def ratio(self):
        below, above = map(statistics.median, self.samples)
        return above / below if below else math.nan

    def floored(self):
        """The samples by their floors; None where not all have one."""
        rate, time = units.is_rate(self.figure), units.time_scale_ns(self.figure)
        if not rate and not time:
            return None
        found = []
        for row in (self.before, self.after):
            sample = []
            for one in rows.kept(row):
                floor = rows.floor_ns(one)
                if floor is None:
                    return None
                if rows.is_number(one.get(self.figure)):
                    sample.append(one[self.figure] * floor if rate
                                  else one[self.figure] / floor)
            found.append(sample)
        return tuple(found)


def direction(a, b, least_effect):
    """1 if b is larger beyond noise, -1 if smaller, 0 otherwise."""
    below, above = statistics.median(a), statistics.median(b)
    if below <= 0 or above <= 0:
        far = below != above
    else:
        far = abs(math.log(above / below)) > math.log1p(least_effect)
    if not far or two_samples.mann_whitney_p(a, b) > ALPHA:
        return 0
    return 1 if above > below else -1


@dataclasses.dataclass(frozen=True)
class Verdict:
    pair: Pair
    direction: int  # of the figure, not of what is good
    enough: bool    # could so few repetitions have shown a difference?

    @property
    def text(self):
        if not self.enough:
            return "too few"
        if not self.direction:
            return "same"
        return "WORSE" if self.is_worse else "better"

    @property
    def is_worse(self):
        lower = self.pair.before["figures"][self.pair.figure] == "lower"
        return self.direction == (1 if lower else -1)


def judge(pair, drift):
    a, b = pair.samples
    enough = two_samples.least_p(len(a), len(b)) <= ALPHA
    found = direction(a, b, drift)
    floored = pair.floored()
    if found and floored and direction(*floored, drift) != found:
        found = 0
    return Verdict(pair, found, enough)


def pairs_of(before, after):
    """Of every figure that both files have."""
    found = []
    theirs = rows.of_results(after)
    for suite, (ours, _) in rows.of_results(before).items():
        others = {rows.key(row): row for row in theirs.get(suite, ([], []))[0]}
        for row in ours:
            other = others.get(rows.key(row))
            if other is None:
                continue
            pairs = [Pair(suite, row, other, figure) for figure in row["figures"]
                     if figure in other["figures"]]
            found += [pair for pair in pairs if all(pair.samples)]
    return found


def drifts(pairs):
    """{figure: how far two runs of what did not change are apart}."""
    changes = {}
    for pair in pairs:
        if not rows.is_ours(pair.before["peer"]) and pair.ratio > 0:
            changes.setdefault(pair.figure, []).append(
                abs(math.log(pair.ratio)))
    found = {}
    for figure, logs in changes.items():
        if len(logs) >= LEAST_CONTROLS:
            logs.sort()
            found[figure] = max(LEAST_EFFECT, math.expm1(
                logs[min(len(logs) - 1, int(DRIFT_SHARE * len(logs)))]))
    return found


def judge_all(before, after):
    """(verdicts, drifts)."""
    pairs = pairs_of(before, after)
    limits = drifts(pairs)
    return [judge(pair, limits.get(pair.figure, LEAST_EFFECT))
            for pair in pairs], limits


def line(verdict):
    pair = verdict.pair
    a, b = pair.samples
    low, high = two_samples.ratio_interval(a, b)
    return [f"{pair.before['peer']}: {rows.title(pair.before)}",
            units.name(pair.figure),
            units.text(pair.figure, statistics.median(a)),
            units.text(pair.figure, statistics.median(b)),
            f"{pair.ratio:.3f} ({low:.3f} .. {high:.3f})", f"{len(a)}, {len(b)}",
            f"{two_samples.mann_whitney_p(a, b):.4f}", verdict.text]


def machine_text(before, after):
    """How the two environments differ in what figures depend on."""
    return [f"  {name}: {before[name]} | {after[name]}"
            for name in ("cpu", "cpus", "kernel", "governor",
                         "transparent_hugepage_shmem", "compiler")
            if name in before and name in after and before[name] != after[name]]


def show(before, after, everything):
    """Prints the comparison; how many figures of ours got worse."""
    verdicts, limits = judge_all(before, after)
    differing = machine_text(before["environment"], after["environment"])
    if differing:
        print("  not the same machine:", *differing, sep="\n")
    for name, results in (("first", before), ("second", after)):
        for warning in results.get("warnings", []):
            print(f"  {name}: {warning}")
    for suite in dict.fromkeys(verdict.pair.suite for verdict in verdicts):
        shown = [verdict for verdict in verdicts if verdict.pair.suite == suite
                 and (everything or verdict.direction)]
        print(f"\n== {suite} ==")
        if not shown:
            print("  nothing differs beyond noise")
            continue
        tables.show(["", "figure", "first", "second",
                     "second / first (95 % interval)", "kept", "p", "verdict"],
                    [line(verdict) for verdict in shown])
    show_summary(verdicts, limits)
    return sum(verdict.is_worse and verdict.enough
               and rows.is_ours(verdict.pair.before["peer"])
               for verdict in verdicts)


def show_summary(verdicts, limits):
    words = [verdict.text for verdict in verdicts]
    print(f"\n  {len(words)} figures in both: {words.count('WORSE')} worse, "
          f"{words.count('better')} better, {words.count('same')} the same, "
          f"{words.count('too few')} with too few\n  repetitions (it takes five "
          f"of each). By chance alone at most {ALPHA:.0%} of them would differ.")
    for figure, limit in limits.items():
        print(f"  {figure}: what did not change (the peers) differs by up to "
              f"{limit:.0%}; only more counts")


def load(path):
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"bench: {path}: {error}") from error


def main(options):
    worse = show(load(options.first), load(options.second), options.all)
    return 1 if worse and options.fail_on_worse else 0
