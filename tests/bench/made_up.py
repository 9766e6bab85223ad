"""Made-up results, of which the answer is known."""

import random


def row(peer, samples, figure="p50_ns", question="one_way", better="lower",
        floors=None, **parameters):
    floors = floors or [100.0] * len(samples)
    return {"question": question, "peer": peer,
            "parameters": parameters or {"length_bytes": 64},
            "figures": {figure: better},
            "repetitions": [
                {"kept": True, "floor_before_ns": floor,
                 "floor_after_ns": floor, figure: value}
                for value, floor in zip(samples, floors)]}


def results(*rows, targets=()):
    return {"environment": {"date": "2026-01-01T00:00:00Z"},
            "suites": {"latency": {"rows": list(rows),
                                   "targets": list(targets)}}}


def noisy(seed, middle, count=7, spread=0.03):
    source = random.Random(seed)
    return [middle * source.lognormvariate(0, spread) for _ in range(count)]


# --- a whole run, with every kind of plot in it ---

SIZES = (64, 4096, 65536, 1 << 20)
FIXED_NS = {"zcb_native": 140, "zcb_cpg_next": 190, "iceoryx": 1500,
            "libqb_ring": 370, "seqpacket_spin": 1700, "zeromq": 11000}
COPIED_NS_PER_BYTE = {"libqb_ring": 0.12, "seqpacket_spin": 0.25,
                      "zeromq": 0.3}
WAKE_NS = 21_000


def percentiles(seed, peer, middle, repetitions=5, **parameters):
    source = random.Random(f"{seed} {peer} {parameters}")
    found = []
    for number in range(repetitions):
        p50 = middle * source.lognormvariate(0, 0.04)
        floor = 100 * source.lognormvariate(0, 0.05)
        found.append({"kept": number != 3, "floor_before_ns": floor,
                      "floor_after_ns": floor * (1.3 if number == 3 else 1.02),
                      "p50_ns": p50, "p90_ns": p50 * 1.15,
                      "p99_ns": p50 * source.uniform(2, 4),
                      "p99_9_ns": p50 * source.uniform(5, 9),
                      "max_ns": p50 * source.uniform(20, 200)})
    return {"question": "one_way", "peer": peer, "parameters": parameters,
            "figures": dict.fromkeys(("p50_ns", "p90_ns", "p99_ns", "p99_9_ns",
                                      "max_ns"), "lower"),
            "repetitions": found}


def one_way_rows():
    for wait, extra in (("busy", 0), ("sleep", WAKE_NS)):
        for touched in (True, False):
            for size in SIZES:
                for peer, fixed in FIXED_NS.items():
                    each = COPIED_NS_PER_BYTE.get(peer, 0) + (
                        0.2 if touched else 0)
                    yield percentiles(1, peer, fixed + extra + each * size,
                                      length_bytes=size, touched=touched,
                                      wait=wait)
    # No size, nothing touched: in every facet that waits so.
    yield percentiles(2, "floor_one_line", 100, wait="busy")
    yield percentiles(2, "floor_futex", WAKE_NS, wait="sleep")


def rate_rows(question, quantity, places, peers):
    for peer, (middle, power) in peers.items():
        for place in places:
            yield row(peer, noisy(f"{peer} {place}", middle * place ** power, 5),
                      "messages_per_s", question, "higher", **{quantity: place})


def call_rows():
    for call, middle in (("cpg_initialize", 6800), ("empty dispatch", 20.9),
                         ("cpg_context_get", 3.4), ("cpg_join", 7400),
                         ("cpg_leave", 300), ("cpg_local_get", 23.6),
                         ("cpg_fd_get", 217)):
        for peer, factor in (("zcb_libcpg", 1), ("corosync", 40)):
            yield row(peer, noisy(f"{call} {peer}", middle * factor, 3),
                      question="call", call=call)


def noise(believable=True):
    return {"seconds": 60, "others_cpus": 0.02 if believable else 0.8,
            "steal_share": 0.001, "load": 1.0, "dropped": 12, "repetitions": 60,
            "reasons": [] if believable else ["others kept 0.80 processors "
                                              "busy"],
            "believable": believable}


def whole_run():
    def suite(found, believable=True, targets=()):
        return {"rows": list(found), "targets": list(targets), "seconds": 61.2,
                "noise": noise(believable)}
    return {
        "format": 1, "command": "made up for the tests", "quick": False,
        "environment": {
            "date": "2026-01-01T00:00:00Z", "revision": "made up",
            "cpu": "none <at> all & more", "cpus": 2, "kernel": "6.18",
            "packages": {"g++": "12.2"}, "load_at_start": [0.1, 0.2, 0.3]},
        "suites": {
            "latency": suite(one_way_rows(), targets=[
                {"what": "64 B, busy: p50 / floor", "limit": "<= 2.5",
                 "measured": 1.4, "text": "1.40 (1.31 .. 1.52)", "met": True},
                {"what": "64 B, asleep: p50 / futex", "limit": "<= 1.1",
                 "measured": 1.3, "text": "1.30 (1.2 .. 1.4)", "met": False},
                {"what": "V1 / Corosync", "limit": ">= 100", "measured": None,
                 "text": "-", "met": None}]),
            "stream": suite(rate_rows(
                "stream", "length_bytes", SIZES,
                {"zcb_native": (9e7, -0.3), "libqb_ring": (4e7, -0.5),
                 "seqpacket_spin": (1e6, -0.2)}), believable=False),
            "crowd": suite(rate_rows(
                "fan_out", "receivers", (1, 2, 4, 16, 64),
                {"zcb_native": (5e6, -0.05), "iceoryx": (6e5, -0.9)})),
            "cpg": suite(call_rows())},
        "skipped": {"nng": "not installed: libnng-dev"},
        "warnings": ["stream: too noisy to believe: others kept 0.80 "
                     "processors busy"]}
