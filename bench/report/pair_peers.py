"""The programs that send messages between two processes, and what is measured
with each. What a program can do it says itself: PROGRAM list."""

import dataclasses
import json
import subprocess

from report import builder

# Measured when nobody asks for others: what the targets are about, and what
# shows the order of magnitude.
BY_DEFAULT = frozenset({"zcb_native", "zcb_cpg", "corosync_cpg", "bare_ring",
                        "seqpacket", "libqb_ring", "iceoryx",
                        "floor_hand_over", "floor_memcpy"})


# With its daemon.
ICEORYX = ("iceoryx", "libiceoryx-posh-dev", "libiceoryx-hoofs-dev")


@dataclasses.dataclass(frozen=True)
class Program:
    """//bench/peers:NAME."""
    name: str
    packages: tuple = ()

    @property
    def is_ours(self):
        return self.name.startswith("zcb_")

    @property
    def target(self):
        return f"//bench/peers:{self.name}"


PROGRAMS = {program.name: program for program in (
    Program("floor_hand_over"),
    Program("floor_memcpy"),
    Program("bare_ring"),
    Program("zcb_native"),
    Program("zcb_cpg"),
    Program("corosync_cpg", ("libcpg-dev",)),
    Program("iceoryx", ICEORYX),
    Program("libqb_ring", ("libqb-dev",)),
    Program("libqb_ipc", ("libqb-dev",)),
    Program("boost_queue", ("libboost-dev",)),
    Program("dpdk", ("libdpdk-dev",)),
    Program("seqpacket"),
    Program("pipe"),
    Program("posix_mq"),
    Program("zeromq", ("libzmq3-dev",)),
    Program("nng", ("libnng-dev",)),
)}

SIZES = [64, 4096, 65536, 1 << 20]
# A message of CPG_MODEL_V1 is at most 1 MiB with Corosync's own header.
CPG_V1_SIZES = [64, 4096, 65536, 1000 << 10]

# CPG_MODEL_V1 of one program on two libraries: the names of its variants.
ON_ZCB = {"cpg_v1": "zcb_cpg_v1", "cpg_v1_one": "zcb_cpg_v1_one",
          "cpg_v1_zcb": "zcb_cpg_v1_zcb"}
ON_COROSYNC = {"cpg_v1": "corosync", "cpg_v1_one": "corosync_one",
               "cpg_v1_zcb": "corosync_zcb"}
CPG_LIBRARY = "//cpg:libcpg.so.4"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to use a program: a row of its own at every size."""
    program: str
    argument: str  # as the program calls it
    peer: str      # as the results call it
    wait: str      # "busy" or "sleep"
    largest_bytes: int = 1 << 62
    on_corosync: bool = False

    @property
    def is_cpg_v1(self):
        return self.program == "corosync_cpg"

    def sizes(self):
        """Of the messages that are asked for."""
        return CPG_V1_SIZES if self.is_cpg_v1 else SIZES


def variants_of(directory, name, on_corosync=False):
    done = subprocess.run([directory / name, "list"], check=True, text=True,
                          stdout=subprocess.PIPE)
    names = ON_COROSYNC if on_corosync else ON_ZCB
    for line in map(json.loads, done.stdout.splitlines()):
        yield Variant(name, line["peer"], names.get(line["peer"], line["peer"]),
                      line["wait"], line.get("largest_bytes", 1 << 62),
                      on_corosync)


def build(root, options):
    """The names of the programs that can be run here. Each is built by itself,
    and one that an earlier build left does not count."""
    found = []
    for name, program in PROGRAMS.items():
        if not options.selection.wants(name, BY_DEFAULT):
            continue
        targets = [program.target]
        if name == "corosync_cpg":
            targets.append(CPG_LIBRARY)
        if builder.build_peer(root, name, program.packages, targets,
                              options.selection):
            found.append(name)
        elif program.is_ours:
            raise SystemExit("bench: cannot build")
    return found
