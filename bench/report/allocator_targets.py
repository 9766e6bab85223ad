"""What zcb's allocator is to reach, and whether it does."""

import dataclasses

from report import tables
from report.allocator_peers import PEERS, Cell, sized


@dataclasses.dataclass(frozen=True)
class Target:
    cell: Cell
    what: str       # after the cell's title
    limit: float
    at_least: bool  # otherwise at most
    ratios: list    # per round
    stretch: float = 0  # at_least only

    def verdict(self):
        if not self.ratios:
            return "not measured"
        middle = tables.median(self.ratios)
        if self.at_least:
            met = middle >= self.limit
        else:
            met = middle <= self.limit
        if met and self.stretch and middle >= self.stretch:
            return "met, and the stretch"
        return "met" if met else "NOT MET"

    def row(self):
        limit = f"{'>=' if self.at_least else '<='} {self.limit:.2f}"
        if self.stretch:
            limit += f" ({self.stretch:.0f})"
        return [f"{self.cell.title}: {self.what}", limit,
                tables.ratio_text(self.ratios), self.verdict()]


def best_peer_ratios(rounds, cell):
    """zcb over whoever of the others was fastest in that round."""
    found = []
    for one_round in rounds.rounds:
        peers = one_round.get(cell, {})
        others = [figures["cpu_time"] for name, figures in peers.items()
                  if not PEERS[name].ours]
        if "zcb" in peers and others:
            found.append(peers["zcb"]["cpu_time"] / min(others))
    return found


def targets(rounds):
    """Every target at every size it is about."""
    for cell in sized("pair"):
        large = int(cell.argument) >= 1 << 20
        yield Target(cell, "time / jemalloc's", 0.2 if large else 1.0,
                     False, rounds.ratios((cell, "zcb"), (cell, "jemalloc"),
                                          "cpu_time"))
    for cell in sized("batch"):
        yield Target(cell, "time / the best peer's", 1.2, False,
                     best_peer_ratios(rounds, cell))
    for written in ("", "_written"):
        for cell in sized("processes" + written):
            threads = Cell("threads" + written, cell.argument)
            yield Target(
                cell, "rate / mimalloc's between threads", 1.0, True,
                rounds.ratios((threads, "mimalloc"), (cell, "zcb"),
                              "quiet_ns"), stretch=2.0)
    for cell in sized("pair"):
        yield Target(cell, "speed / Boost.Interprocess's", 10.0, True,
                     rounds.ratios((cell, "boost"), (cell, "zcb"), "cpu_time"))
    for cell in (Cell("mixed", "small"), Cell("mixed", "wide")):
        yield Target(cell, "resident / live, over mimalloc's", 1.15,
                     False, rounds.ratios((cell, "zcb"), (cell, "mimalloc"),
                                          "resident_per_live"))


def results(plan, rounds):
    """As all suites return them."""
    found = []
    for target in targets(rounds):
        if target.cell not in plan:
            continue
        what, limit, text, verdict = target.row()
        found.append({
            "what": what, "limit": limit, "text": text,
            "measured": tables.median(target.ratios) if target.ratios else None,
            "met": verdict != "NOT MET" if target.ratios else None})
    return found


def show(plan, rounds):
    everything = [target for target in targets(rounds)
                  if target.cell in plan]
    print("  targets, of zcb's C++ interface")
    tables.show(["", "target", "measured", "verdict"],
                [target.row() for target in everything])
    missed = sum(target.verdict() == "NOT MET" for target in everything)
    unknown = sum(target.verdict() == "not measured" for target in everything)
    print(f"  {len(everything)} targets: {missed} not met, {unknown} not "
          "measured")
