"""How long a death takes to be told, and to be put right, beside the least that
it can take on this machine at that moment."""

import dataclasses
import json
import subprocess

from report import progress, tables

PROGRAMS = ["noticing", "recovery"]
NOT_RUN = 75  # exit code: needs root

# A bare waiter needs as long, and this much more is for a second process to be
# woken by the first, us.
FIRST_LIMIT_US = 300
ALL_LIMIT = 1.5  # times as many bare waiters, for that many members:
ALL_MEMBERS = 64
MEMORY_LIMIT_MS = 50
MANY_BUFFERS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Setting:
    """One run of the program: members asleep on something, a victim that has
    touched so much memory of some kind of pages."""
    members: int
    park: str = "futex"
    pages: str = "small"
    touched_mib: int = 64
    buffers: int = 0

    def arguments(self, kills):
        return [f"--members={self.members}", f"--park={self.park}",
                f"--pages={self.pages}", f"--touched-mib={self.touched_mib}",
                f"--buffers={self.buffers}", f"--kills={kills}", "--json"]

    def title(self):
        pages = "4 KiB" if self.pages == "small" else "huge"
        out = f", {self.buffers:,} out" if self.buffers else ""
        return (f"{self.members} on {self.park}, {self.touched_mib} MiB of "
                f"{pages} pages{out}")


def settings(quick):
    if quick:
        return [Setting(2), Setting(8, "descriptor", "huge", 8),
                Setting(2, touched_mib=0, buffers=10_000)]
    # The last two rows: next to nothing for the kernel to take down, and much.
    return ([Setting(members, park, pages)
             for pages in ("small", "huge")
             for members in (2, 8, 64)
             for park in ("futex", "descriptor")] +
            [Setting(64, touched_mib=0), Setting(8, touched_mib=1024),
             Setting(8, pages="huge", touched_mib=1024)] +
            [Setting(members, touched_mib=0, buffers=MANY_BUFFERS)
             for members in (2, 8, 64)])


def kills_of(setting, options):
    """Of each of the three kinds."""
    if options.quick:
        return 3
    if setting.buffers:
        return options.rounds or 20
    return options.rounds or (200 if setting.touched_mib < 1024 else 40)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def us_text(values):
    """p50 and p99."""
    return " / ".join(tables.time_text(quantile(values, share) * 1000)
                      for share in (0.5, 0.99))


class Rounds:
    """The kills of one setting; each round has one of each kind."""

    def __init__(self, setting, rounds):
        self.setting = setting
        self.rounds = rounds

    def values(self, name):
        return [one[name] for one in self.rounds]

    def over_floor_us(self):
        return [one["first_us"] - one["bare_one_us"] for one in self.rounds]

    def all_ratios(self):
        return [one["all_us"] / one["bare_all_us"] for one in self.rounds]

    def memory_ms(self):
        """From when the record lock is seen free."""
        return [(one["freed_us"] - one["unlocked_us"]) / 1000
                for one in self.rounds]

    def result_rows(self):
        """As all suites return them: a repetition per kill."""
        parameters = {"members": self.setting.members,
                      "wait": self.setting.park,
                      "pages": "4 KiB" if self.setting.pages == "small"
                               else self.setting.pages,
                      "touched_mib": self.setting.touched_mib}
        if self.setting.buffers:
            parameters["buffers"] = self.setting.buffers
        # The floor: as many processes that sleep on the victim's pidfd.
        for peer, first, last in (("zcb", "first_us", "all_us"),
                                  ("floor_pidfd", "bare_one_us",
                                   "bare_all_us")):
            yield {"question": "recovery", "peer": peer,
                   "parameters": parameters,
                   "figures": {"first_us": "lower", "all_us": "lower"},
                   "repetitions": [{"kept": True, "first_us": one[first],
                                    "all_us": one[last]}
                                   for one in self.rounds]}
        if self.setting.buffers:
            yield {"question": "memory_back", "peer": "zcb",
                   "parameters": parameters,
                   "figures": {"memory_back_ms": "lower"},
                   "repetitions": [{"kept": True, "memory_back_ms": one}
                                   for one in self.memory_ms()]}

    def row(self):
        return [self.setting.title(), us_text(self.values("first_us")),
                us_text(self.values("bare_one_us")),
                us_text(self.values("all_us")),
                us_text(self.values("bare_all_us")),
                f"{tables.median(self.all_ratios()):.2f}"]

    def targets(self):
        """(what, limit, measured, met) by the medians of the rounds."""
        if self.setting.buffers:
            memory = tables.median(self.memory_ms())
            yield ("memory back after the lock is free",
                   f"<= {MEMORY_LIMIT_MS} ms", f"{memory:.1f} ms",
                   memory <= MEMORY_LIMIT_MS)
            return
        over = tables.median(self.over_floor_us())
        yield ("first member, more than a bare waiter",
               f"<= {FIRST_LIMIT_US} us", f"{over:.0f} us",
               over <= FIRST_LIMIT_US)
        if self.setting.members < ALL_MEMBERS:
            return
        ratio = tables.median(self.all_ratios())
        yield ("all members / as many bare waiters", f"<= {ALL_LIMIT}",
               f"{ratio:.2f}", ratio <= ALL_LIMIT)


def run_noticing(programs, setting, kills):
    """None where it cannot run."""
    progress.current.step(setting.title())
    done = subprocess.run(
        [programs / "recovery" / "noticing", *setting.arguments(kills)],
        text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode == NOT_RUN:
        print(f"  {setting.title()}: not run: needs root", flush=True)
        return None
    done.check_returncode()
    print(f"  done: {setting.title()}", flush=True)
    return Rounds(setting, json.loads(done.stdout))


def run_reaping(programs, options):
    """By how it was out: lists of ms, one process that reaps alone."""
    rounds = 1 if options.quick else options.rounds or 9
    buffers = 10_000 if options.quick else MANY_BUFFERS
    done = subprocess.run(
        [programs / "recovery" / "recovery", "--json", str(buffers),
         str(rounds)], text=True, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def show_reaping(reaping):
    print("\n  a survivor that reaps alone, ms, by how the buffers were out\n")
    rows = []
    for name, steps in reaping.items():
        low, middle, high = tables.spread(steps["reap_ms"])
        rows.append([name, f"{tables.median(steps['mark_ms']):.3f}",
                     f"{middle:.2f} ({low:.2f} .. {high:.2f})",
                     f"{tables.median(steps['home_ms']):.2f}"])
    tables.show(["out as", "mark", "reap", "first allocation"], rows)


def verdicts(measured, reaping):
    """(what, limit, measured, met) of all."""
    for one in measured:
        for what, limit, value, met in one.targets():
            yield one.setting.title() + ": " + what, limit, value, met
    for name, steps in reaping.items():
        reap = tables.median(steps["reap_ms"])
        yield (f"reaped by one process, {name}", f"<= {MEMORY_LIMIT_MS} ms",
               f"{reap:.1f} ms", reap <= MEMORY_LIMIT_MS)


def reaping_rows(reaping):
    for name, steps in reaping.items():
        yield {"question": "reaping", "peer": "zcb",
               "parameters": {"out_as": name},
               "figures": dict.fromkeys(steps, "lower"),
               "repetitions": [{"kept": True} | dict(zip(steps, values))
                               for values in zip(*steps.values())]}


def show(measured, reaping):
    print("\n  from SIGKILL until it is told, p50 / p99; members asleep in "
          "cpg_dispatch, and\n  bare waiters on a pidfd of the same process, "
          "killed in turns; ratio: median of\n  those of single kills\n")
    tables.show(["members", "first member", "1 bare waiter", "all members",
                 "as many bare", "ratio"], [one.row() for one in measured])
    show_reaping(reaping)
    rows = [[what, limit, value, "met" if met else "NOT MET"]
            for what, limit, value, met in verdicts(measured, reaping)]
    print("\n  targets")
    tables.show(["", "target", "measured", "verdict"], rows)
    print(f"  {len(rows)} targets: "
          f"{sum(row[-1] != 'met' for row in rows)} not met")


def run(programs, options):
    progress.current.plan(len(settings(options.quick)) + 1)
    measured = [one for one in
                (run_noticing(programs, setting, kills_of(setting, options))
                 for setting in settings(options.quick)) if one]
    progress.current.step("a survivor that reaps alone")
    reaping = run_reaping(programs, options)
    show(measured, reaping)
    return {"rows": [row for one in measured for row in one.result_rows()]
                    + list(reaping_rows(reaping)),
            "targets": [{"what": what, "limit": limit,
                         "measured": float(value.split()[0]),
                         "text": value, "met": met}
                        for what, limit, value, met
                        in verdicts(measured, reaping)]}
