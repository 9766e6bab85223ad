"""The allocators that are compared, and what each is asked to do."""

import dataclasses

from report import tables

SIZES = [64, 256, 4096, 65536, 1 << 20]


@dataclasses.dataclass(frozen=True)
class Peer:
    """One program, //bench/allocator:NAME."""
    name: str
    packages: tuple = ()
    workloads: tuple = ("pair", "batch", "threads", "threads_written", "churn",
                        "mixed")
    ours: bool = False


SHARED = Peer.workloads + ("processes", "processes_written")
PEERS = {peer.name: peer for peer in (
    Peer("zcb", workloads=SHARED, ours=True),
    Peer("zcb_c", workloads=("pair", "batch", "threads", "threads_written",
                             "processes", "processes_written", "churn"),
         ours=True),
    Peer("zcb_cpg", workloads=("pair", "batch"), ours=True),
    Peer("glibc"),
    Peer("jemalloc", ("libjemalloc-dev",)),
    Peer("mimalloc", ("libmimalloc-dev",)),
    Peer("tcmalloc", ("libgoogle-perftools-dev",)),
    Peer("boost", ("libboost-dev",), SHARED),
    Peer("iceoryx", ("libiceoryx-posh-dev", "libiceoryx-hoofs-dev"), SHARED),
)}


@dataclasses.dataclass(frozen=True)
class Cell:
    """What is measured at once: a workload at one size, or one mix."""
    workload: str
    argument: str = ""

    @property
    def name(self):
        """As Google Benchmark calls it, without its own endings."""
        return f"{self.workload}/{self.argument}".rstrip("/")

    @property
    def title(self):
        if self.argument.isdigit():
            return f"{self.workload}, {tables.size_text(int(self.argument))}"
        return f"{self.workload}, {self.argument}".rstrip(", ")

    @property
    def is_hand_over(self):
        return self.workload.startswith(("threads", "processes"))

    @property
    def needs_two_cpus(self):
        return self.is_hand_over or self.workload == "churn"


def cells(quick):
    """In this order. What is compared between threads and between processes
    comes one after the other, since the CPUs' distance may change."""
    sizes = (64, 65536) if quick else tuple(SIZES)
    hand_overs = [Cell(workload + written, str(size))
                  for written in (("",) if quick else ("", "_written"))
                  for size in sizes
                  for workload in ("threads", "processes")]
    return [*sized("pair"), *sized("batch"), *hand_overs, Cell("churn"),
            Cell("mixed", "small"), Cell("mixed", "wide")]


def sized(workload):
    return [Cell(workload, str(size)) for size in SIZES]
