"""What the calls of the CPG API are to reach, and whether they do."""

import dataclasses

from report import tables


@dataclasses.dataclass(frozen=True)
class Target:
    call: str
    limit_ns: float

    def medians(self, rounds):
        return [figures[self.call]["p50_ns"] for figures in rounds]

    def verdict(self, rounds):
        """By the median of the rounds' medians; where only the best round
        meets it, the machine may be to blame, and that is said."""
        low, middle, _ = tables.spread(self.medians(rounds))
        if middle <= self.limit_ns:
            return "met"
        return "best round only" if low <= self.limit_ns else "NOT MET"

    def row(self, rounds):
        low, middle, high = tables.spread(self.medians(rounds))
        return [self.call, f"<= {tables.time_text(self.limit_ns)}",
                tables.time_text(low), tables.time_text(middle),
                tables.time_text(high), self.verdict(rounds)]


# In a process that is attached already; the first join of all waits for the
# kernel to start a thread, and for nothing else of it. That cpg_membership_get makes no
# system call is tests/cpg/seccomp_process_test's to prove.
TARGETS = [
    Target("initialize+join+confchg", 200_000),
    Target("join+confchg, first of a process", 1_000_000),
    Target("empty dispatch", 30),
    Target("cpg_context_get", 10),
]


def results(rounds):
    """As all suites return them."""
    return [{"what": target.call,
             "limit": f"<= {tables.time_text(target.limit_ns)}",
             "measured": tables.median(target.medians(rounds)),
             "text": "{1} ({0} .. {2})".format(
                 *map(tables.time_text, tables.spread(target.medians(rounds)))),
             "met": target.verdict(rounds) == "met"}
            for target in TARGETS]


def show(rounds):
    print("  targets")
    tables.show(["", "target", "best", "p50", "worst", "verdict"],
                [target.row(rounds) for target in TARGETS])
    missed = sum(target.verdict(rounds) != "met" for target in TARGETS)
    print(f"  {len(TARGETS)} targets: {missed} not met")
