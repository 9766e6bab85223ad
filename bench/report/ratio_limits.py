"""A few ratios that hold on every machine, with generous limits: has something
become slow by accident? (tools/dev check ratios)"""

import dataclasses

from report import rows, tables

ARGUMENTS = ["alloc", "latency", "stream", "--quick", "--rounds", "3",
             "--only", "pair/64,pair/4096"]
# Whatever a suite calls them.
PEERS = frozenset({"zcb", "jemalloc", "zcb_cpg", "zcb_native", "seqpacket"})


@dataclasses.dataclass(frozen=True)
class Limit:
    question: str
    parameters: dict
    ours: str
    theirs: tuple  # its names
    at_most: float = 0   # of the medians of the ratios per round,
    at_least: float = 0  # one or the other

    def find(self, all_rows, peers):
        """The row of these parameters, whatever others it has."""
        return next((row for row in all_rows
                     if row["question"] == self.question
                     and row["peer"] in peers
                     and self.parameters.items()
                     <= ({"wait": "busy"} | row["parameters"]).items()), None)

    def ratios(self, all_rows):
        ours = self.find(all_rows, (self.ours,))
        theirs = self.find(all_rows, self.theirs)
        if not ours or not theirs:
            return []
        return rows.ratios(ours, theirs, next(iter(ours["figures"])))

    def holds(self, middle):
        if self.at_most:
            return middle <= self.at_most
        return middle >= self.at_least

    def line(self, ratios):
        limit = (f"<= {self.at_most:g}" if self.at_most
                 else f">= {self.at_least:g}")
        verdict = "not measured"
        if ratios:
            verdict = "holds" if self.holds(tables.median(ratios)) else "FAILS"
        parameters = rows.parameters_text(self.parameters)
        return [f"{self.question}, {parameters}: {self.ours} / "
                f"{self.theirs[0]}", limit, tables.ratio_text(ratios), verdict]


BUSY_64 = {"length_bytes": 64, "touched": True, "wait": "busy"}
SEQPACKET = ("seqpacket",)
LIMITS = (
    Limit("pair", {"length_bytes": 64}, "zcb", ("jemalloc",), at_most=1.5),
    Limit("pair", {"length_bytes": 4096}, "zcb", ("jemalloc",), at_most=1.5),
    Limit("one_way", BUSY_64, "zcb_cpg_next", SEQPACKET, at_most=0.5),
    Limit("stream", BUSY_64, "zcb_cpg_next", SEQPACKET, at_least=2),
)


def judge(results, limits=LIMITS):
    """Prints what holds; 1 if something does not, or was not measured."""
    all_rows = [row for suite_rows, _ in rows.of_results(results).values()
                for row in suite_rows]
    lines = [limit.line(limit.ratios(all_rows)) for limit in limits]
    print()
    tables.show(["ratio, per round", "limit", "median (least .. most)",
                 "verdict"], lines)
    return 0 if all(line[-1] == "holds" for line in lines) else 1
