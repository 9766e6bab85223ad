"""Which peers are measured, and which are not and why."""

# Measured even if nobody asks: what the targets are about, and what shows the
# order of magnitude. A suite may name others. Ours and the floors always are.
DEFAULTS = frozenset({"jemalloc", "mimalloc"})


def is_always(name):
    return name == "zcb" or name.startswith(("zcb_", "floor"))


class Selection:
    """everybody: --peers; named: those of --peer; exactly: none but these;
    without: those of --without, whatever else was said."""

    def __init__(self, everybody=False, named=(), exactly=None, without=()):
        self.everybody = everybody
        self.named = set(named)
        self.exactly = exactly
        self.without = set(without)
        self.known = set()
        self.skipped = {}  # peer: why

    def wants(self, name, defaults=DEFAULTS):
        self.known.add(name)
        if name in self.without:
            return False
        if self.exactly is not None:
            return name in self.exactly
        return (self.everybody or name in self.named or is_always(name)
                or name in defaults)

    def pick(self, peers):
        """Those of {name: anything} that are wanted, in its order."""
        return {name: peer for name, peer in peers.items() if self.wants(name)}

    def skip(self, name, why):
        """Says so once, and remembers it for the result file."""
        if name not in self.skipped:
            print(f"skipped: {name}: {why}", flush=True)
        self.skipped[name] = why

    def warnings(self):
        return [f"no suite that ran knows the peer {name}"
                for name in sorted((self.named | self.without) - self.known)]
