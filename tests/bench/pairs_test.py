"""Messages between two processes: who is run when, what is kept of it, and
what the targets make of it."""

import contextlib
import io
import json
import pathlib
import stat
import tempfile
import types
import unittest

from report import pair_peers, pair_targets, pairs, rows, selection

# Answers as the programs do.
PROGRAM = """#!/usr/bin/env python3
import json, os, pathlib, sys
name = os.path.basename(sys.argv[0])
with open(pathlib.Path(sys.argv[0]).parent / "calls", "a") as calls:
    print(name, *sys.argv[1:], file=calls)
if sys.argv[1] == "list":
    print(json.dumps({"peer": name, "wait": "busy", "what": "",
                      "largest_bytes": LARGEST}))
    sys.exit()
options = dict(word[2:].split("=", 1) for word in sys.argv[2:] if "=" in word)
if name == "nng":
    sys.exit("nng: broken on purpose")
print(json.dumps({
    "question": "one_way", "peer": options["peer"],
    "parameters": {"length_bytes": int(options["bytes"]),
                   "touched": options["touch"] == "yes",
                   "wait": options["wait"]},
    "figures": dict.fromkeys(["p50_ns", "p90_ns", "p99_ns", "p999_ns",
                              "max_ns"], "lower"),
    "pages": "", "repetitions": [
        {"kept": True, "disturbed": False, "floor_before_ns": 100,
         "floor_after_ns": 100, "two_line_floor_ns": 150,
         **dict.fromkeys(["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"],
                         NS)}]}))
"""


class FakePrograms:
    """A directory of them, for as long as the test."""

    def __init__(self, test, **peers):
        """peers: name = (ns, largest message)."""
        directory = tempfile.TemporaryDirectory()
        test.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        (self.path / "peers").mkdir()
        for name, (ns, largest) in peers.items():
            file = self.path / "peers" / name
            file.write_text(PROGRAM.replace("LARGEST", str(largest))
                            .replace("NS)", f"{ns})"))
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def calls(self):
        lines = (self.path / "peers" / "calls").read_text().splitlines()
        return [line.split()[0] for line in lines if " list" not in line]


def run(programs, rounds=2):
    options = types.SimpleNamespace(
        quick=True, rounds=rounds, cpus="0,1",
        selection=selection.Selection(everybody=True))
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        result = pairs.latency(programs.path, options)
    return result, options, text.getvalue()


def target(result, what):
    (found,) = [one for one in result["targets"] if what in one["what"]]
    return found


class RunsTest(unittest.TestCase):
    def test_peers_take_turns_forwards_and_then_backwards(self):
        programs = FakePrograms(self, zcb_native=(200, 1 << 30),
                                pipe=(900, 1 << 30))
        run(programs)
        self.assertEqual(programs.calls(), ["zcb_native", "pipe"] * 2
                         + ["pipe", "zcb_native"] * 2)

    def test_repetition_k_of_every_row_is_of_round_k(self):
        result, _, _ = run(FakePrograms(self, zcb_native=(200, 1 << 30)), 3)
        for row in result["rows"]:
            self.assertEqual(rows.problem(row), "")
            self.assertEqual(len(row["repetitions"]), 3)
        json.dumps(result)

    def test_sizes_beyond_the_largest_message_are_left_out(self):
        result, _, _ = run(FakePrograms(self, posix_mq=(900, 1024)))
        self.assertEqual([row["parameters"]["length_bytes"]
                          for row in result["rows"]], [64])

    def test_who_fails_is_skipped_and_the_others_go_on(self):
        programs = FakePrograms(self, zcb_native=(200, 1 << 30),
                                nng=(900, 1 << 30))
        result, options, text = run(programs)
        self.assertEqual({row["peer"] for row in result["rows"]},
                         {"zcb_native"})
        self.assertIn("broken on purpose", options.selection.skipped["nng, busy"])
        self.assertIn("nng", text)
        self.assertEqual(programs.calls().count("nng"), 1)


class TargetsTest(unittest.TestCase):
    def test_a_ratio_below_its_limit_is_met_and_one_above_is_not(self):
        result, _, _ = run(FakePrograms(self, zcb_native=(200, 1 << 30),
                                        iceoryx=(1100, 1 << 30),
                                        libqb_ring=(300, 1 << 30)))
        self.assertIs(target(result, "zcb_native: 64 B, busy, touched: p50 / "
                             "one-line floor")["met"], True)
        self.assertIs(target(result, "zcb_native: 64 B, busy, touched: p50 / "
                             "iceoryx's")["met"], True)
        libqb = target(result, "zcb_native: 64 B, busy, touched: p50 / "
                       "libqb_ring's")
        self.assertIs(libqb["met"], False)
        self.assertAlmostEqual(libqb["measured"], 2 / 3)

    def test_what_has_no_figures_is_not_measured(self):
        result, _, _ = run(FakePrograms(self, zcb_native=(200, 1 << 30)))
        self.assertIsNone(target(result, "zcb_native: 64 B, busy, touched: "
                                 "p50 / iceoryx's")["met"])

    def test_a_repetition_that_was_dropped_counts_on_neither_side(self):
        def row(*samples):
            return {"repetitions": [{"kept": kept, "p50_ns": value}
                                    for kept, value in samples]}
        ours, theirs = ("a", "busy", 64, True), ("b", "busy", 64, True)
        found = pair_targets.Results({
            ours: row((True, 1), (False, 50), (True, 3)),
            theirs: row((True, 2), (True, 1), (False, 1))})
        self.assertEqual(found.ratios(ours, theirs, "p50_ns"), [0.5])

    def test_without_a_corosync_the_known_figure_counts_and_that_is_said(self):
        row = {"repetitions": [{"kept": True, "p50_ns": 665.0}]}
        found = pair_targets.Results(
            {("zcb_cpg_v1", "busy", 64, True): row})
        one = pair_targets.against_corosync(found, "busy", 64, 100, "p50_ns")
        self.assertEqual(one.values, [100.0])
        self.assertIn("as known", one.what)

    def test_a_corosync_of_the_run_goes_before_the_known_figure(self):
        def row(ns):
            return {"repetitions": [{"kept": True, "p50_ns": ns}]}
        found = pair_targets.Results(
            {("zcb_cpg_v1", "busy", 64, True): row(500.0),
             ("corosync", "busy", 64, True): row(20_000.0)})
        one = pair_targets.against_corosync(found, "busy", 64, 100, "p50_ns")
        self.assertEqual(one.values, [40.0])
        self.assertIs(one.met(), False)


class PeersTest(unittest.TestCase):
    def test_the_v1_program_is_another_peer_on_corosync(self):
        programs = FakePrograms(self, corosync_cpg=(500, 1 << 30))
        program = programs.path / "peers" / "corosync_cpg"
        program.write_text(program.read_text().replace(
            '{"peer": name, ', '{"peer": "cpg_v1", '))
        ours, theirs = (variant for on_corosync in (False, True)
                        for variant in pair_peers.variants_of(
                            program.parent, program.name, on_corosync))
        self.assertEqual((ours.peer, theirs.peer), ("zcb_cpg_v1", "corosync"))
        self.assertEqual((ours.argument, theirs.argument), ("cpg_v1",) * 2)
        self.assertEqual(ours.sizes()[-1], 1000 << 10)


if __name__ == "__main__":
    unittest.main()
