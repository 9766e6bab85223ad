"""The suites: what each needs built, how long it takes, and what runs it."""

import dataclasses
from typing import Callable

from report import (allocator, allocator_peers, batch, builder, calls, crowd,
                    growth, kills, pages, pairs, recovery)


@dataclasses.dataclass(frozen=True)
class Suite:
    """run(programs, options) returns rows and targets (rows.py); prepare builds
    what it needs, or ends the program."""
    run: Callable
    prepare: Callable  # (root, options)
    seconds: int       # on two cores, with the peers that are there by default
    quick_seconds: int
    what: str


def needs(*targets):
    """Builds them all."""
    return lambda root, options: builder.build_or_exit(root, targets)


def prepare_allocators(root, options):
    options.peers = builder.build_peers(root, allocator_peers.PEERS,
                                        options.selection)
    if "zcb" not in options.peers:
        raise SystemExit("bench: cannot build")


SUITES = {
    "alloc": Suite(
        allocator.run, prepare_allocators, 1200, 6,
        "allocators: pairs, batches, hand-over, churn, memory"),
    "batch": Suite(
        batch.run, needs(*batch.TARGETS), 300, 2,
        "messages per call, and the order of buffers"),
    "cpg": Suite(
        calls.run, needs("//bench/cpg:calls", "//cpg:" + calls.LIBRARY), 60, 2,
        "what each call of the CPG API takes"),
    "crowd": Suite(
        crowd.run, crowd.prepare, 660, 5,
        "fan-out, many senders, many groups, bursts, waking"),
    "growth": Suite(
        growth.run, needs(*growth.TARGETS), 600, 14,
        "memory, and what grows with the region and the members"),
    "kills": Suite(
        kills.run, needs(kills.TARGET), 600, 17,
        "a busy process is killed: who is blocked for ever?"),
    "latency": Suite(
        pairs.latency, pairs.prepare, 900, 7,
        "one way between two processes"),
    "pages": Suite(
        pages.run, needs(*pages.TARGETS), 120, 4,
        "huge pages and 4 KiB ones"),
    "recovery": Suite(
        recovery.run,
        needs(*("//bench/recovery:" + name for name in recovery.PROGRAMS)),
        1200, 2, "how long a death takes to be told and put right"),
    "stream": Suite(
        pairs.stream, pairs.prepare, 900, 6,
        "one sender, one receiver, as fast as it goes"),
}
