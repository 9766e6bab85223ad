"""Comparing two result files whose difference is known."""

import contextlib
import io
import json
import pathlib
import tempfile
import types
import unittest

import made_up
from report import compare


def verdicts(before, after):
    return {verdict.pair.before["peer"]: verdict.text
            for verdict in compare.judge_all(before, after)[0]}


def judged(before, after, **how):
    return verdicts(made_up.results(made_up.row("zcb_native", before, **how)),
                    made_up.results(made_up.row("zcb_native", after, **how)))[
                        "zcb_native"]


class CompareTest(unittest.TestCase):
    def test_slower_by_a_fifth_is_worse(self):
        self.assertEqual(judged(made_up.noisy(1, 100), made_up.noisy(2, 120)),
                         "WORSE")

    def test_faster_by_a_fifth_is_better(self):
        self.assertEqual(judged(made_up.noisy(1, 120), made_up.noisy(2, 100)),
                         "better")

    def test_a_lower_rate_is_worse(self):
        rate = {"figure": "messages_per_s", "better": "higher"}
        self.assertEqual(judged(made_up.noisy(1, 120), made_up.noisy(2, 100),
                                **rate), "WORSE")

    def test_noise_of_one_distribution_is_the_same(self):
        found = [judged(made_up.noisy(seed, 100), made_up.noisy(seed + 500, 100))
                 for seed in range(100)]
        self.assertGreaterEqual(found.count("same"), 99)

    def test_a_sure_but_tiny_difference_is_the_same(self):
        self.assertEqual(judged([100 + i / 100 for i in range(7)],
                                [102 + i / 100 for i in range(7)]), "same")

    def test_a_wide_spread_hides_a_fifth(self):
        self.assertEqual(judged([60, 80, 100, 120, 140],
                                [70, 95, 120, 145, 170]), "same")

    def test_three_repetitions_are_too_few(self):
        self.assertEqual(judged([100, 101, 102], [200, 201, 202]), "too few")

    def test_dropped_repetitions_do_not_count(self):
        before = made_up.row("zcb", made_up.noisy(1, 100, 10))
        after = made_up.row("zcb", made_up.noisy(2, 100, 7) + [300] * 6)
        for one in after["repetitions"][7:]:
            one["kept"] = False
        self.assertEqual(verdicts(made_up.results(before),
                                  made_up.results(after)), {"zcb": "same"})

    def test_a_machine_that_is_slower_is_not_the_code(self):
        # Everything takes half as long again, one cache line included.
        before = made_up.row("zcb", made_up.noisy(1, 200), floors=[100] * 7)
        after = made_up.row("zcb", made_up.noisy(2, 300), floors=[150] * 7)
        self.assertEqual(verdicts(made_up.results(before),
                                  made_up.results(after)), {"zcb": "same"})

    def test_a_rate_falls_where_the_floor_rises(self):
        rate = {"figure": "messages_per_s", "better": "higher"}
        before = made_up.row("zcb", made_up.noisy(1, 3e6), floors=[100] * 7,
                             **rate)
        after = made_up.row("zcb", made_up.noisy(2, 2e6), floors=[150] * 7,
                            **rate)
        self.assertEqual(verdicts(made_up.results(before),
                                  made_up.results(after)), {"zcb": "same"})

    def test_another_floor_alone_makes_no_difference(self):
        before = made_up.row("zcb", made_up.noisy(1, 200), floors=[100] * 7)
        after = made_up.row("zcb", made_up.noisy(2, 200), floors=[50] * 7)
        self.assertEqual(verdicts(made_up.results(before),
                                  made_up.results(after)), {"zcb": "same"})

    def test_what_the_peers_drift_by_does_not_count(self):
        def run(seed, ours, factor):
            return made_up.results(
                made_up.row("zcb", made_up.noisy(seed, ours)),
                *(made_up.row(f"peer{i}", made_up.noisy(
                    seed + i, 100 * (factor if i % 2 else 1)))
                  for i in range(10)))
        self.assertEqual(verdicts(run(1, 100, 1), run(50, 120, 1))["zcb"],
                         "WORSE")
        self.assertEqual(verdicts(run(1, 100, 1), run(50, 120, 1.3))["zcb"],
                         "same")

    def test_rows_that_are_in_one_file_only_are_left_out(self):
        self.assertEqual(
            verdicts(made_up.results(made_up.row("zcb", [1] * 5)),
                     made_up.results(made_up.row("zcb", [1] * 5,
                                                 length_bytes=128))), {})


class CommandTest(unittest.TestCase):
    def run_command(self, before, after, fail):
        with tempfile.TemporaryDirectory() as directory:
            paths = []
            for name, samples in (("a", before), ("b", after)):
                path = pathlib.Path(directory) / name
                path.write_text(json.dumps(made_up.results(
                    made_up.row("zcb", samples))))
                paths.append(path)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = compare.main(types.SimpleNamespace(
                    first=paths[0], second=paths[1], all=False,
                    fail_on_worse=fail))
        return code, said.getvalue()

    def test_worse_fails_where_that_was_asked_for(self):
        fast, slow = made_up.noisy(1, 100), made_up.noisy(2, 150)
        self.assertEqual(self.run_command(fast, slow, True)[0], 1)
        self.assertEqual(self.run_command(fast, slow, False)[0], 0)
        self.assertEqual(self.run_command(slow, fast, True)[0], 0)

    def test_it_says_which_row_differs(self):
        _, said = self.run_command(made_up.noisy(1, 100),
                                   made_up.noisy(2, 150), False)
        self.assertIn("zcb: one way, 64 B", said)
        self.assertIn("WORSE", said)

    def test_no_file_is_an_error_with_its_name(self):
        with self.assertRaisesRegex(SystemExit, "nowhere.json"):
            compare.load("nowhere.json")
