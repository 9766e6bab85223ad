"""Questions that need more than two processes, or more than one group."""

import subprocess

from report import builder, pair_peers, tables
from report.measured import (Cell, Row, conclude, find, measure, per_round,
                             same_names, show, show_dropped, target)

PROGRAMS = ["burst", "fan_out", "many_groups", "many_senders", "wake"]
TARGETS = ["//bench/crowd:" + name for name in PROGRAMS]
ICEORYX = "fan_out_iceoryx"

RING_ROOM = 3584
PER_MEMBER_LIMIT_NS = 10
WAKE_LIMIT = 1.1
MANY = 64
RECEIVERS = (1, 2, 4, 8, 16, MANY)

STREAM = same_names("messages_per_s", "deliveries_per_s", "send_cpu_ns",
                    "send_p50_ns", "send_p90_ns")
SINGLES = same_names("wake_all_p50_ns", "first_p50_us", "first_p99_us",
                     "last_p50_us", "last_p99_us")

# By the names that the program has; of what each is beside.
WAKES = {"zcb_futex": "futex", "floor_futex": "futex",
         "zcb_descriptor": "descriptor", "floor_pipe": "descriptor",
         "floor_eventfd": "descriptor", "zcb_awake": "busy"}


def prepare(root, options):
    builder.build_or_exit(root, TARGETS)
    options.has_built_iceoryx = wants_iceoryx(options) and builder.build_peer(
        root, "iceoryx", pair_peers.ICEORYX, ["//bench/crowd:" + ICEORYX],
        options.selection)


def wants_iceoryx(options):
    return options.selection.wants("iceoryx", pair_peers.BY_DEFAULT)


def has_iceoryx(programs, options):
    """Whether it runs: its daemon is one for the machine, and may be another's."""
    program = programs / "crowd" / ICEORYX
    if not getattr(options, "has_built_iceoryx",
                   wants_iceoryx(options) and program.exists()):
        return False
    done = subprocess.run([program, "--rounds=1", f"--cpus={options.cpus}"],
                          check=False, text=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()[-1:] or ["no word"]
        options.selection.skip("iceoryx", f"does not run: {words[0]}")
    return done.returncode == 0


def fan_out(peer, wait, receivers, *arguments):
    figures = {"attached": same_names("send_p50_ns", "send_p90_ns"),
               "busy": STREAM, "sleep": SINGLES | STREAM}[wait]
    program = ICEORYX if peer == "iceoryx" else "fan_out"
    return Cell(f"crowd/{program}",
                (f"--peer={peer}", f"--wait={wait}", f"--receivers={receivers}",
                 *arguments),
                (Row("fan_out", peer, {"wait": wait, "receivers": receivers},
                     figures),))


def fan_outs(quick, others):
    """`others`: who is measured attached, too."""
    if quick:
        return [fan_out(peer, "attached", n, "--rounds=20")
                for n in (1, MANY) for peer in ("zcb", *others)
                ] + [fan_out("zcb", "busy", 1, "--messages=20000"),
                     fan_out("zcb", "sleep", 4, "--rounds=20",
                             "--messages=5000")]
    peers = ("zcb", "seqpacket")
    return ([fan_out(peer, "attached", n, "--rounds=100")
             for n in RECEIVERS for peer in (*peers, *others)] +
            [fan_out(peer, "busy", n) for n in (1, 2) for peer in peers] +
            [fan_out(peer, "sleep", n, f"--messages={320_000 // n}"
                     if peer == "zcb" else "--messages=2000")
             for n in (1, 4, 8, 16, MANY) for peer in peers])


def many_senders(quick):
    figures = same_names("messages_per_s", "least_share", "most_share",
                         "refused_share")
    return [Cell("crowd/many_senders",
                 (f"--senders={n}", f"--duration-ms={50 if quick else 500}"),
                 (Row("many_senders", "zcb", {"senders": n}, figures),))
            for n in ((2,) if quick else (1, 2, 4, 8))]


def many_groups(quick):
    figures = same_names("send_p50_ns", "receive_p50_ns", "messages_per_s",
                         "one_group_p50_ns", "idle_dispatch_p50_ns",
                         "by_epoll_p50_us")
    return [Cell("crowd/many_groups",
                 (f"--groups={n}", f"--rounds={10 if quick else 100}"),
                 (Row("many_groups", "zcb", {"groups": n}, figures),))
            for n in ((16,) if quick else (1, 16, 256))]


def bursts(quick):
    for size in (256,) if quick else (1, 16, 256, 1024, RING_ROOM):
        names = ["send_p50_ns", "send_p99_ns", "until_read_p50_us",
                 "until_read_p99_us"]
        if size > 1:
            names += ["drain_p50_ns", "drain_p99_ns"]
        yield Cell("crowd/burst",
                   (f"--burst={size}", f"--rounds={20 if quick else 200}"),
                   (Row("burst", "zcb", {"burst": size}, same_names(*names)),))
    figures = same_names("messages_per_s", "send_cpu_ns", "refused_share",
                         "waited_share", "wait_p50_us", "wait_p99_us")
    for full_ring, flags in (("try again", ()), ("wait", ("--wait",))):
        yield Cell("crowd/burst",
                   (*flags, f"--messages={10_000 if quick else 100_000}"),
                   (Row("pressure", "zcb", {"full_ring": full_ring}, figures),))


def wakes(quick):
    rows = tuple(
        Row("wake", peer, {"wait": wait},
            {f"{peer}_{what}_{share}_ns": f"{what}_{share}_ns"
             for what in ("send", "until") for share in ("p50", "p99")})
        for peer, wait in WAKES.items())
    return [Cell("crowd/wake", (f"--wakes={50 if quick else 1000}",), rows)]


def wake_ratios(cells, ours, floor):
    return per_round(find(cells, "wake", ours, wait=WAKES[ours]),
                     find(cells, "wake", floor, wait=WAKES[floor]),
                     "until_p50_ns", lambda a, b: a / b)


def targets(cells):
    slope = per_round(find(cells, "fan_out", "zcb", wait="attached",
                           receivers=MANY),
                      find(cells, "fan_out", "zcb", wait="attached",
                           receivers=1),
                      "send_p50_ns", lambda many, one: (many - one) / (MANY - 1))
    return [
        target("a send, for each attached member more",
               f"< {PER_MEMBER_LIMIT_NS} ns", slope,
               lambda values: "{1:.2f} ns ({0:.2f} .. {2:.2f})".format(
                   *tables.spread(values)),
               lambda middle: middle < PER_MEMBER_LIMIT_NS),
        *(target(f"until the receiver runs, {ours} / {floor}",
                 f"<= {WAKE_LIMIT}", wake_ratios(cells, ours, floor),
                 tables.ratio_text, lambda middle: middle <= WAKE_LIMIT)
          for ours, floor in (("zcb_futex", "floor_futex"),
                              ("zcb_descriptor", "floor_eventfd"),
                              ("zcb_descriptor", "floor_pipe")))]


def run(programs, options):
    others = ["iceoryx"] if has_iceoryx(programs, options) else []
    cells = [*fan_outs(options.quick, others), *many_senders(options.quick),
             *many_groups(options.quick), *bursts(options.quick),
             *wakes(options.quick)]
    measure(programs, cells, options.rounds or (1 if options.quick else 5),
            options.cpus)
    show_dropped(cells)
    show(cells, "fan_out", "one sender, many receivers, 64 B")
    show(cells, "many_senders", "many senders, one group, two receivers: the "
         "order was checked;\n  least and most: of a fair share")
    show(cells, "many_groups", "one process in many groups, per message or "
         "handle")
    show(cells, "burst", "bursts into a reader that sleeps, per message")
    show(cells, "pressure", "a reader that takes 500 ns over every message")
    show(cells, "wake", "a send to a receiver that sleeps, or does not, and "
         "until it runs")
    return conclude(cells, targets(cells))
