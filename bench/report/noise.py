"""Was the machine quiet enough for its figures to be believed?

The kernel counts the time in which processors worked and that was stolen from
this guest. What our own processes did not use, others did.
"""

import dataclasses
import os
import pathlib
import time

from report import rows

# Beyond these the figures of a suite are not to be believed.
OTHERS_LIMIT = 0.15   # processors that others kept busy
STEAL_LIMIT = 0.02    # of all processors' time
DROPPED_LIMIT = 0.25  # repetitions in which the floor moved

TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Sample:
    """Seconds since the machine, or we, began."""
    at: float
    busy: float   # of all processors
    steal: float
    own: float    # of us and of those children that have ended

    @staticmethod
    def take(stat=None):
        text = stat or pathlib.Path("/proc/stat").read_text()
        # user nice system idle iowait irq softirq steal (guest is in user)
        ticks = [int(word) for word in text.split("\n", 1)[0].split()[1:]]
        ticks += [0] * (8 - len(ticks))
        times = os.times()
        return Sample(time.monotonic(),
                      (sum(ticks[:3]) + ticks[5] + ticks[6]) / TICK,
                      ticks[7] / TICK,
                      times.user + times.system + times.children_user
                      + times.children_system)


def between(before, after):
    """What others did from one sample to the other, in processors."""
    wall = max(after.at - before.at, 1e-9)
    others = (after.busy - before.busy) - (after.own - before.own)
    return {"seconds": round(wall, 3),
            "others_cpus": round(max(0.0, others / wall), 3),
            "steal_share": round(
                max(0.0, after.steal - before.steal) / wall
                / (os.cpu_count() or 1), 4),
            "load": os.getloadavg()[0]}


def count_dropped(suite_rows):
    """(dropped, all) of the repetitions."""
    everything = [one for row in suite_rows for one in row["repetitions"]]
    return (sum(not one.get("kept", True) for one in everything),
            len(everything))


def reasons(noise):
    """Why a suite's figures should not be believed; nothing if they should."""
    if noise["others_cpus"] > OTHERS_LIMIT:
        yield f"others kept {noise['others_cpus']:.2f} processors busy"
    if noise["steal_share"] > STEAL_LIMIT:
        yield f"{noise['steal_share']:.1%} of the time was stolen by the host"
    if (noise["repetitions"]
            and noise["dropped"] / noise["repetitions"] > DROPPED_LIMIT):
        yield (f"{noise['dropped']} of {noise['repetitions']} repetitions "
               "dropped, since the floor moved")


def of_suite(before, after, suite_rows):
    noise = between(before, after)
    noise["dropped"], noise["repetitions"] = count_dropped(suite_rows)
    noise["reasons"] = list(reasons(noise))
    noise["believable"] = not noise["reasons"]
    return noise


def warnings(suites):
    """One for each suite that was disturbed."""
    return [f"{name}: too noisy to believe: {'; '.join(noise['reasons'])}"
            for name, result in suites.items()
            for noise in [result.get("noise")]
            if noise and not noise["believable"]]


def floors_ns(suite_rows):
    """All floors that were taken, of kept repetitions."""
    return [floor for row in suite_rows for one in rows.kept(row)
            if (floor := rows.floor_ns(one)) is not None]
