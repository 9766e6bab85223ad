#!/usr/bin/env python3
"""Checks the Spin models of the protocols, and that they can fail.

    check.py [--quick] [--minutes N] [--model MODEL ...]

For each model: spin(1) makes a verifier, gcc compiles it, and it searches all
states within the model's bounds: exhaustively, never by bit-state hashing. A
model must hold and be searched to the end; each of its variants, which lacks
one rule of the protocol, must be refuted. Prints a table; docs/models.md says
how to read it.

--quick: smaller bounds. --minutes N: when all of it is done and minutes are
left, larger bounds, until they are over; what they do not end with is no
failure, what they refute is.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).absolute().parent
CPU_SECONDS = 300  # of one search: a busy machine is no fault of ours
MEMORY_MIB = 4096
DEPTH = 200_000


@dataclasses.dataclass
class Model:
    name: str  # NAME.pml
    bounds: list  # in a check; each a text of definitions
    quick: list  # in the everyday tests; the first also for the variants
    larger: list  # for --minutes
    variants: list  # each a definition, and what it needs besides
    loops: list = dataclasses.field(default_factory=list)
    # ... variants that go round for ever
    holds: str = ""  # definitions in all runs
    file: str = ""

    def path(self):
        return HERE / f"{self.file or self.name}.pml"


MODELS = [
    Model(
        "send",
        bounds=["SENDS=2 MEMBER_SENDS=1 READS=1"],
        quick=["SENDS=2 MEMBER_SENDS=0 READS=1"],
        larger=["SENDS=2 MEMBER_SENDS=1 READS=2", "SENDS=2 READS=2 CRASHES=2"],
        variants=["SLOT_BEFORE_WORD", "CLAIM_THEN_FILL", "ASK_TAIL",
                  "WITHOUT_REREAD_RECLAIMED READS=2 MEMBER_SENDS=1 CRASHES=0 "
                  "STOPS=0"],
        loops=["WITHOUT_HELP MEMBER_SENDS=1 READS=0"],
    ),
    Model(
        "reap",
        bounds=["REAPS=2"],
        quick=["REAPS=1"],
        larger=["REAPS=3", "REAPS=2 CRASHES=2"],
        variants=["WITHOUT_REREAD_UNIT", "WITHOUT_STILL_DEAD",
                  "ALIVE_BEFORE_LOCK", "UNLOCK_FIRST", "FREE_LEASE_FIRST"],
    ),
    Model(
        "keep",
        bounds=["EVICTIONS=0"],
        quick=["EVICTIONS=0 STOPS=0"],
        larger=["EVICTIONS=1", "EVICTIONS=1 CRASHES=2"],
        variants=["WITHOUT_LOOK_AT_RECORDS", "CLEAR_FIRST",
                  "WITHOUT_LETTING", "BIT_BEFORE_RECORD",
                  "FAILED_KEEP_CLEARS EVICTIONS=1", "WITHOUT_GENERATION",
                  "TWO_RECORDS", "FORWARD"],
    ),
    Model(
        "wake",
        bounds=["MESSAGES=2"],
        quick=["MESSAGES=1"],
        larger=["MESSAGES=3", "MESSAGES=2 CRASHES=2"],
        variants=["WITHOUT_SECOND_LOOK", "MARK_FIRST",
                  "WITHOUT_EPOCH MESSAGES=2 CRASHES=0",
                  "WITHOUT_VERSION MESSAGES=2 CRASHES=0",
                  "GROUP_WORD_FIRST MESSAGES=2 CRASHES=0",
                  "REAPER_DOES_NOT_RING"],
    ),
    Model(
        "park",
        file="wake",
        holds="PARKED=1",
        bounds=["MESSAGES=2"],
        quick=["MESSAGES=1"],
        larger=["MESSAGES=3", "MESSAGES=2 CRASHES=2"],
        variants=["WITHOUT_SECOND_LOOK", "MARK_FIRST", "COUNT_READ_LATE",
                  "WAIT_ON_SLEEP_WORD"],
    ),
    Model(
        "room",
        bounds=["MESSAGES=1", "MESSAGES=2 STOPS=0 CRASHES=0"],
        quick=["MESSAGES=1 STOPS=0"],
        larger=["MESSAGES=2 STOPS=0", "MESSAGES=2"],
        variants=["WITHOUT_BARRIER", "WITHOUT_SECOND_LOOK", "MARK_FIRST",
                  "WITHOUT_VERSION MESSAGES=2 CRASHES=0",
                  "REAPER_DOES_NOT_RING"],
    ),
    Model(
        "handover",
        bounds=["GIVES=2 TAKES=2"],
        quick=["GIVES=2 TAKES=1"],
        larger=["GIVES=3 TAKES=2", "GIVES=3 TAKES=3 CRASHES=2"],
        variants=["TOUCH_AFTER_WORD", "TAKE_KEEPS_GENERATION TAKES=2"],
    ),
    Model(
        "extent",
        bounds=["READER_REAPS=0", "READER_REAPS=1"],
        quick=["READER_REAPS=0 STOPS=0"],
        larger=["READER_REAPS=0 CRASHES=2", "READER_REAPS=1 CRASHES=2"],
        variants=["HEAD_FIRST STOPS=1", "FREES_HEAD_FIRST",
                  "WITHOUT_LOOK_AT_HEAD READER_REAPS=1",
                  "ORPHAN_WITHOUT_LOOK", "LOOK_BEFORE_WORD"],
    ),
    Model(
        "adopt",
        bounds=["SENDS=3"],
        quick=["SENDS=1"],
        larger=["SENDS=5 CRASHES=2"],
        variants=["HINT_BEFORE_WORD", "LOOK_BEFORE_CLEAR",
                  "WORD_BEFORE_CLEAR"],
    ),
    Model(
        "view",
        bounds=["LEAVES=0 FINALIZES=0 RECLAIMS=1",
                "LEAVES=1 FINALIZES=0 RECLAIMS=0",
                "LEAVES=0 FINALIZES=1 RECLAIMS=0",
                "LEAVES=0 FINALIZES=0 ELDER=0 RECLAIMS_0=1 RECLAIMS=0"],
        quick=["LEAVES=0 FINALIZES=0 STOPS=0",
               "LEAVES=1 FINALIZES=1 CRASHES=0 STOPS=0 RECLAIMS=0"],
        larger=["LEAVES=0 FINALIZES=0 ELDER=0 RECLAIMS_0=1 STOPS=0",
                "LEAVES=1 FINALIZES=1 RECLAIMS=1"],
        variants=["WITHOUT_SCAN FINALIZES=1 CRASHES=0",
                  "WITHOUT_APPLY ELDER=0 RECLAIMS_0=1 RECLAIMS=0",
                  "WITHOUT_WALK", "TAIL_LAST CRASHES=0 ELDER=0",
                  "INDEX_FIRST LEAVES=1 JOINS=0",
                  "JOINER_AT_RECLAIMED SLOTS=2 LEAVES=1",
                  "REAP_WITHOUT_DOWN", "FINALIZE_WITHOUT_DOWN FINALIZES=1"],
    ),
    Model(
        "evict",
        file="view",
        holds="EVICTIONS=1",
        bounds=["LEAVES=0 FINALIZES=0",
                "LEAVES=0 FINALIZES=0 CRASHES=0 STOPS=0 SENDS=1",
                "LEAVES=0 FINALIZES=0 CRASHES=0 STOPS=0 JOINS=2",
                "LEAVES=1 FINALIZES=1 CRASHES=0 STOPS=0 RECLAIMS=0"],
        quick=["LEAVES=0 FINALIZES=0 CRASHES=0 STOPS=0"],
        larger=["LEAVES=0 FINALIZES=0 SENDS=1",
                "LEAVES=1 FINALIZES=1 RECLAIMS=1"],
        variants=["EVICTED_IS_FREED RECLAIMS=2", "EVICT_ANY_JOINING RECLAIMS=2",
                  "LEAVE_RESET_FIRST JOINS=2", "WITHOUT_SCAN"],
    ),
]


@dataclasses.dataclass
class Outcome:
    errors: int = 0
    complete: bool = False
    reason: str = ""
    states: int = 0
    depth: int = 0
    mib: float = 0
    cpu: float = 0


def definitions(*texts):
    """The last word about a name counts."""
    named = {}
    for text in texts:
        for word in text.split():
            named[word.split("=")[0]] = word
    return [f"-D{word}" for word in named.values()]


def limit_cpu(seconds):
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def number(pattern, text, kind=int):
    found = re.search(pattern, text)
    return kind(found.group(1)) if found else kind(0)


def search(model, texts, optimize, seconds=CPU_SECONDS, cycles=False):
    """One search of the model with these definitions.

    With `cycles` it looks for executions that never end, as well."""
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as directory:
        # pan looks for its never claims, and leaves trails, where it runs.
        def run(*command, **options):
            return subprocess.run(command, cwd=directory, text=True,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, **options)

        made = run("spin", *definitions(model.holds, *texts), "-a",
                   str(model.path()))
        # What follows from a crash or a stop must not be reduced away, hence
        # NOREDUCE: partial orders know nothing of "provided".
        if made.returncode == 0:
            kind = ("-DNP", "-DNOSTUTTER") if cycles else ("-DSAFETY",)
            made = run("gcc", optimize, "-w", "-DNOREDUCE", *kind,
                       "-DCOLLAPSE", "-DVECTORSZ=2048",
                       f"-DMEMLIM={MEMORY_MIB}", "-o", "pan", "pan.c")
        if made.returncode != 0:
            sys.exit(f"{model.name}: no verifier:\n{made.stdout}")
        # -E: a process that was struck is nowhere near a valid end; the model
        # looks for the others itself.
        ran = run("./pan", *(("-l",) if cycles else ()), "-E", f"-m{DEPTH}",
                  "-w22", "-n",
                  preexec_fn=limit_cpu(int(seconds)))
        text = ran.stdout
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = Outcome(
        errors=number(r"errors: (\d+)", text),
        states=number(r"(\d+) states, stored", text),
        depth=number(r"depth reached (\d+)", text),
        mib=number(r"([\d.]+)\s+total actual memory usage", text, float),
        cpu=ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    wanted = "non-progress cycle (" if cycles else "assertion violated"
    if wanted in text and outcome.errors:
        return outcome
    for words, reason in (("max search depth too small", "depth"),
                          ("memory limit", "memory"),
                          ("out of memory", "memory"),
                          ("Search not completed", "cut short")):
        if words in text:
            outcome.reason = reason
    if outcome.errors:
        outcome.reason = "error of another kind"
        print(text)
    elif ran.returncode != 0 or not re.search(r"errors: 0\b", text):
        outcome.reason = outcome.reason or "time"
    outcome.complete = not outcome.reason
    return outcome


def show(model, bounds, rule, outcome, verdict):
    print(f"{model.name:9} {rule or 'the protocol':33} {bounds:44} "
          f"{outcome.states:>10,} {outcome.depth:>6} {outcome.mib:>6.0f} "
          f"{outcome.cpu:>6.1f}  {verdict}", flush=True)


def check(model, bounds, optimize, may_be_cut=False, seconds=CPU_SECONDS):
    """True if the protocol holds within these bounds."""
    outcome = search(model, (bounds,), optimize, seconds)
    good = outcome.errors == 0 and (outcome.complete or may_be_cut)
    if outcome.errors:
        verdict = "REFUTED"
    elif outcome.complete:
        verdict = "holds, complete"
    else:
        verdict = f"incomplete ({outcome.reason})"
    show(model, bounds, "", outcome, verdict)
    return good


def check_ends(model, bounds, optimize):
    """True if whatever is begun ends: the graph of states has no cycle."""
    outcome = search(model, (bounds,), optimize, cycles=True)
    good = outcome.complete and outcome.errors == 0
    show(model, bounds, "(ends)", outcome,
         "no cycle, complete" if good else "CYCLE, or incomplete")
    return good


def check_variants(model, bounds, optimize):
    """True if the model notices that a rule is missing, each of them."""
    good = True
    for variant in model.variants + model.loops:
        outcome = search(model, (bounds, variant), optimize,
                         cycles=variant in model.loops)
        noticed = outcome.errors != 0 and not outcome.reason
        rule, *more = variant.split()
        show(model, " ".join(more), rule, outcome,
             "refuted" if noticed else "NOT REFUTED")
        good &= noticed
    return good


def check_model(model, quick, optimize):
    good = True
    for bounds in model.quick if quick else model.bounds:
        good &= check(model, bounds, optimize)
    if not quick:
        good &= check_ends(model, model.quick[0], optimize)
    return good & check_variants(model, model.quick[0], "-O0")


def check_apart(models):
    """Each in a process of its own, whose children's time it can tell; as many
    at a time as there are CPUs."""
    def run(model):
        return subprocess.run(
            [sys.executable, __file__, "--apart", "--model", model.name],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    good = True
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(run, models):
            print(done.stdout, end="", flush=True)
            good &= done.returncode == 0
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    # One model's rows, for check_apart().
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--model", nargs="+", default=[])
    options = parser.parse_args()
    known = {model.name: model for model in MODELS}
    for name in options.model:
        if name not in known:
            parser.error(f"no such model: {name} (of: {' '.join(known)})")
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: tools/dev packages test")
    chosen = [known[name] for name in options.model or known]
    deadline = time.monotonic() + options.minutes * 60
    # Compiling takes longer than a small search.
    optimize = "-O0" if options.quick else "-O2"
    if not options.apart:
        print(f"{'model':9} {'without':33} {'bounds':44} {'states':>10} "
              f"{'depth':>6} {'MiB':>6} {'CPU s':>6}", flush=True)
    if options.quick or options.apart or len(chosen) == 1:
        good = all([check_model(model, options.quick, optimize)
                    for model in chosen])
    else:
        good = check_apart(chosen)
    if options.apart:
        return 0 if good else 1
    for step in range(max(len(model.larger) for model in chosen)):
        for model in chosen:
            left = deadline - time.monotonic()
            if step < len(model.larger) and left > 0:
                good &= check(model, model.larger[step], "-O2", True, left + 1)
    print("models:", "good" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
