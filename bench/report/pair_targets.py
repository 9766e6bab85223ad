"""What zcb's messages are to reach, and whether they do: ratios of figures of
the same round."""

import dataclasses

from report import tables

OURS = ("zcb_native", "zcb_cpg_next")
# What each of ours sleeps on, and the floor of that.
SLEEPERS = {"zcb_native": "floor_futex", "zcb_cpg_futex": "floor_futex",
            "zcb_cpg_descriptor": "floor_eventfd",
            "zcb_cpg_poll": "floor_eventfd"}
# Where no Corosync can be started: as measured on Debian's corosync 3.1.7 on 2
# CPUs (Linux 6.18), daemon and client at real-time priority.
COROSYNC_ONE_WAY_NS = 66_500
COROSYNC_STREAM = {64: 125_000, 1000 << 10: 1_460}


@dataclasses.dataclass(frozen=True)
class Target:
    what: str
    limit: float
    at_least: bool
    values: list  # one of each round in which both were kept
    unit: str = ""

    def met(self):
        if not self.values:
            return None
        middle = tables.median(self.values)
        return middle >= self.limit if self.at_least else middle <= self.limit

    def as_json(self):
        middle = tables.median(self.values) if self.values else None
        return {"what": self.what, "limit": self.limit_text(),
                "measured": middle, "text": tables.ratio_text(self.values),
                "met": self.met()}

    def limit_text(self):
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}"

    def row(self):
        verdict = {True: "met", False: "NOT MET", None: "not measured"}
        return [self.what, self.limit_text(), tables.ratio_text(self.values),
                verdict[self.met()]]


class Results:
    """Rows by (peer, wait, length_bytes, touched)."""

    def __init__(self, rows):
        self.rows = rows

    def repetitions(self, key):
        return self.rows.get(key, {"repetitions": []})["repetitions"]

    def ratios(self, ours, theirs, figure):
        return [a[figure] / b[figure]
                for a, b in zip(self.repetitions(ours),
                                self.repetitions(theirs))
                if a["kept"] and b["kept"]]

    def values(self, key, figure, factor=1.0):
        return [one[figure] * factor for one in self.repetitions(key)
                if one["kept"]]

    def over_floor(self, key, figure):
        """Over the one-line floor of the same repetition."""
        return [one[figure] / floor_ns(one) for one in self.repetitions(key)
                if one["kept"]]


def floor_ns(repetition):
    return (repetition["floor_before_ns"] + repetition["floor_after_ns"]) / 2


def latency(rows, quick):
    found = Results(rows)
    for peer in OURS:
        touched = (peer, "busy", 64, True)
        yield Target(f"{peer}: 64 B, busy, touched: p50 / one-line floor", 2.5,
                     False, found.over_floor(touched, "p50_ns"))
        for rival, limit in (("iceoryx", 0.2), ("libqb_ring", 0.6)):
            yield Target(f"{peer}: 64 B, busy, touched: p50 / {rival}'s",
                         limit, False,
                         found.ratios(touched, (rival, *touched[1:]),
                                      "p50_ns"))
        if quick:
            continue
        for size in (4096, 65536, 1 << 20):
            yield Target(f"{peer}: {tables.size_text(size)}, busy, untouched: "
                         "p50 / that of 64 B", 1.2, False,
                         found.ratios((peer, "busy", size, False),
                                      (peer, "busy", 64, False), "p50_ns"))
        large = (peer, "busy", 1 << 20, True)
        yield Target(f"{peer}: 1 MiB, busy, touched: p50 / write here, read "
                     "there", 1.1, False,
                     found.ratios(large, ("floor_hand_over", *large[1:]),
                                  "p50_ns"))
    for peer, floor in SLEEPERS.items():
        asleep = (peer, "sleep", 64, True)
        yield Target(f"{peer}: 64 B, asleep, touched: p50 / {floor}'s", 1.1,
                     False, found.ratios(asleep, (floor, *asleep[1:]),
                                         "p50_ns"))
    for wait, limit in (("busy", 100), ("sleep", 2)):
        yield against_corosync(found, wait, 64, limit, "p50_ns")


def against_corosync(found, wait, size, limit, figure):
    """How many times faster the drop-in is."""
    ours = ("zcb_cpg_v1", wait, size, True)
    theirs = ("corosync", *ours[1:])
    source = ""
    is_time = figure == "p50_ns"
    if found.values(theirs, figure):
        values = (found.ratios(theirs, ours, figure) if is_time
                  else found.ratios(ours, theirs, figure))
    else:
        source = " (as known, not run here)"
        known = COROSYNC_ONE_WAY_NS if is_time else COROSYNC_STREAM[size]
        values = [known / value if is_time else value / known
                  for value in found.values(ours, figure)]
    what = "p50" if is_time else "rate"
    return Target(f"zcb_cpg_v1: {tables.size_text(size)}, "
                  f"{'busy' if wait == 'busy' else 'asleep'}, touched: {what}, "
                  f"times better than Corosync's{source}", limit, True, values)


def stream(rows, quick):
    found = Results(rows)
    rate = "messages_per_s"
    for peer in OURS:
        small = (peer, "busy", 64, True)
        yield Target(f"{peer}: 64 B, touched: rate / libqb_ring's", 4, True,
                     found.ratios(small, ("libqb_ring", *small[1:]), rate))
        yield Target(f"{peer}: 64 B, touched: million messages a second", 20,
                     True, found.values(small, rate, 1e-6))
        page = (peer, "busy", 4096, True)
        yield Target(f"{peer}: 4 KiB, touched: rate / write here, read there",
                     1.0, True,
                     found.ratios(page, ("floor_hand_over", *page[1:]), rate))
    yield against_corosync(found, "busy", 64, 50, rate)
    if not quick:
        yield against_corosync(found, "busy", 1000 << 10, 3, rate)


def show(targets):
    print("  targets")
    tables.show(["", "target", "measured", "verdict"],
                [target.row() for target in targets])
    print(f"  {len(targets)} targets: "
          f"{sum(t.met() is False for t in targets)} not met, "
          f"{sum(t.met() is None for t in targets)} not measured\n")
