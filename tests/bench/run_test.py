"""What goes on around the suites: progress, noise, selection, limits."""

import contextlib
import io
import os
import pathlib
import subprocess
import tempfile
import types
import unittest
import unittest.mock

import made_up
import run
from report import (crowd, environment, noise, progress, ratio_limits, rows,
                    selection, suites)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class ProgressTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.progress = progress.Progress([("a", 100), ("b", 300)], self.clock)

    def test_before_anything_all_of_it_is_left(self):
        self.assertEqual(self.progress.left_s(), 400)
        self.assertEqual(self.progress.share(), 0)

    def test_a_suite_without_a_plan_goes_by_the_time_it_should_take(self):
        self.progress.begin("a")
        self.clock.now = 25
        self.assertEqual(self.progress.left_s(), 375)

    def test_steps_say_how_far_it_is(self):
        self.progress.begin("a")
        self.progress.plan(10)
        for number in range(6):
            self.progress.step(f"step {number}")
            self.clock.now += 4
        # Five are done, in 24 s; the sixth is being measured.
        self.assertAlmostEqual(self.progress.left_in_suite_s(), 24)

    def test_a_slow_machine_is_noticed_for_what_is_to_come(self):
        self.progress.begin("a")
        self.clock.now = 200
        self.progress.end()
        self.assertEqual(self.progress.left_s(), 600)
        self.progress.begin("b")
        self.assertEqual(self.progress.left_s(), 600)

    def test_what_takes_longer_than_guessed_is_late_and_not_done(self):
        self.progress.begin("b")
        self.clock.now = 1000
        self.assertIn("late", self.progress.text())
        self.assertNotIn("100%", self.progress.text())

    def test_durations(self):
        self.assertEqual(list(map(progress.duration_text, (0, 61, 3661))),
                         ["0:00", "1:01", "1:01:01"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


class ScreenTest(unittest.TestCase):
    def test_what_is_printed_does_not_run_into_the_bar(self):
        stream = Terminal()
        bar = progress.Progress([("a", 100)], Clock())
        screen = progress.Screen(bar, stream)
        with screen:
            bar.begin("a")
            with screen.lock:
                screen.draw()
                print("a table")
        self.assertIn("[....", stream.getvalue())
        self.assertRegex(stream.getvalue(), "\r\x1b\\[Ka table\n")

    def test_elsewhere_there_is_a_line_now_and_then(self):
        clock, stream = Clock(), io.StringIO()
        bar = progress.Progress([("a", 100)], clock)
        screen = progress.Screen(bar, stream)
        bar.begin("a")
        screen.say()
        self.assertEqual(stream.getvalue(), "")
        clock.now = progress.LINE_EVERY_S
        screen.say()
        screen.say()
        self.assertEqual(stream.getvalue().count("\n"), 1)


class NoiseTest(unittest.TestCase):
    def sample(self, at, busy_s, steal_s, own_s):
        ticks = [round(busy_s * noise.TICK), 0, 0, 0, 0, 0, 0,
                 round(steal_s * noise.TICK), 0, 0]
        taken = noise.Sample.take("cpu  " + " ".join(map(str, ticks)) + "\n")
        return noise.Sample(at, taken.busy, taken.steal, own_s)

    def judge(self, busy_s, steal_s, own_s, dropped=0):
        row = made_up.row("zcb", [1] * 10)
        for one in row["repetitions"][:dropped]:
            one["kept"] = False
        return noise.of_suite(self.sample(0, 100, 5, 7),
                              self.sample(10, 100 + busy_s, 5 + steal_s,
                                          7 + own_s), [row])

    def test_our_own_work_is_no_noise(self):
        self.assertTrue(self.judge(20, 0, 20)["believable"])

    def test_that_of_others_is(self):
        found = self.judge(20, 0, 14)
        self.assertFalse(found["believable"])
        self.assertAlmostEqual(found["others_cpus"], 0.6, places=2)

    def test_so_is_time_that_the_host_took(self):
        stolen = 0.03 * 10 * os.cpu_count()
        self.assertFalse(self.judge(5, stolen, 5)["believable"])

    def test_so_are_many_dropped_repetitions(self):
        self.assertTrue(self.judge(5, 0, 5, dropped=2)["believable"])
        found = self.judge(5, 0, 5, dropped=4)
        self.assertFalse(found["believable"])
        self.assertIn("4 of 10", noise.warnings({"x": {"noise": found}})[0])

    def test_the_real_file_can_be_read(self):
        self.assertGreater(noise.Sample.take().busy, 0)


class SelectionTest(unittest.TestCase):
    def test_ours_floors_and_defaults_are_always_there(self):
        chosen = selection.Selection()
        for name in ("zcb", "zcb_native", "floor_futex", "jemalloc"):
            self.assertTrue(chosen.wants(name), name)
        self.assertFalse(chosen.wants("zeromq"))

    def test_others_are_by_name_or_all(self):
        self.assertTrue(selection.Selection(named=["zeromq"]).wants("zeromq"))
        self.assertTrue(selection.Selection(everybody=True).wants("zeromq"))
        self.assertFalse(selection.Selection(
            everybody=True, without=["zeromq"]).wants("zeromq"))

    def test_exactly_means_it(self):
        chosen = selection.Selection(exactly={"zcb"})
        self.assertTrue(chosen.wants("zcb"))
        self.assertFalse(chosen.wants("zcb_native"))

    def test_a_name_that_nobody_knows_is_told(self):
        chosen = selection.Selection(named=["zeromq", "zermq"])
        chosen.wants("zeromq")
        self.assertEqual(chosen.warnings(),
                         ["no suite that ran knows the peer zermq"])


class FanOutTest(unittest.TestCase):
    """A peer that needs a daemon."""

    def has_iceoryx(self, script, without=()):
        chosen = selection.Selection(without=without)
        options = types.SimpleNamespace(selection=chosen, cpus="0,1")
        with tempfile.TemporaryDirectory() as name:
            program = pathlib.Path(name) / "crowd" / crowd.ICEORYX
            program.parent.mkdir()
            program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
            program.chmod(0o755)
            with contextlib.redirect_stdout(io.StringIO()):
                return (crowd.has_iceoryx(program.parent.parent, options),
                        chosen.skipped)

    def test_it_is_measured_if_it_runs(self):
        self.assertEqual(self.has_iceoryx("exit 0"), (True, {}))

    def test_it_is_skipped_with_a_reason_if_it_does_not(self):
        has, skipped = self.has_iceoryx("echo no daemon >&2; exit 1")
        self.assertFalse(has)
        self.assertIn("no daemon", skipped["iceoryx"])

    def test_who_is_not_wanted_is_not_tried(self):
        self.assertEqual(self.has_iceoryx("exit 0", without=["iceoryx"]),
                         (False, {}))

    def test_it_stands_beside_ours_at_every_number(self):
        cells = crowd.fan_outs(False, ["iceoryx"])
        programs = {cell.program for cell in cells}
        self.assertEqual(programs, {"crowd/fan_out", "crowd/fan_out_iceoryx"})
        self.assertEqual([cell.rows[0].parameters["receivers"]
                          for cell in cells
                          if cell.program.endswith("iceoryx")],
                         list(crowd.RECEIVERS))


class RatioLimitsTest(unittest.TestCase):
    def judge(self, ours, theirs, limit):
        results = made_up.results(
            made_up.row("zcb", ours, touched=True, length_bytes=64),
            made_up.row("other", theirs, touched=True, length_bytes=64))
        with contextlib.redirect_stdout(io.StringIO()):
            return ratio_limits.judge(results, [limit])

    def limit(self, **how):
        return ratio_limits.Limit("one_way", ratio_limits.BUSY_64, "zcb",
                                  ("another", "other"), **how)

    def test_within_the_limit_is_good(self):
        self.assertEqual(self.judge([4, 5, 6], [10] * 3,
                                    self.limit(at_most=0.5)), 0)
        self.assertEqual(self.judge([40, 50, 60], [10] * 3,
                                    self.limit(at_least=2)), 0)

    def test_beyond_it_fails(self):
        self.assertEqual(self.judge([6, 7, 8], [10] * 3,
                                    self.limit(at_most=0.5)), 1)
        self.assertEqual(self.judge([15] * 3, [10] * 3,
                                    self.limit(at_least=2)), 1)

    def test_what_was_not_measured_fails(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(ratio_limits.judge(made_up.results(), [
                self.limit(at_most=1)]), 1)


def suite(rows_of_it):
    return suites.Suite(rows_of_it, lambda *_: None, 1, 1, "made up")


class RunTest(unittest.TestCase):
    def run_suites(self, *names):
        def good(*_):
            return {"rows": [made_up.row("zcb", [1, 2])],
                    "targets": [{"what": "x", "limit": "<= 1", "measured": 2,
                                 "text": "2", "met": False}]}

        def failing(*_):
            raise subprocess.CalledProcessError(1, ["program", "--json"])

        def interrupted(*_):
            raise KeyboardInterrupt

        def wrong(*_):
            return [made_up.row("zcb", [1]) | {"figures": {}}]

        self.said = io.StringIO()
        made = {"good": good, "failing": failing, "wrong": wrong,
                "interrupted": interrupted}
        with unittest.mock.patch.dict(
                run.SUITES, {name: suite(made[name]) for name in made}), \
                unittest.mock.patch.object(
                    run.environment, "describe",
                    lambda _: made_up.whole_run()["environment"]), \
                unittest.mock.patch.object(run.environment, "show"), \
                contextlib.redirect_stdout(self.said):
            options = run.parse_run([*names, "--programs", "/nowhere"])
            options.command = "made up"
            results = run.run_suites(options)
            run.show_end(results)
        return results

    def test_what_a_suite_returns_is_in_the_results(self):
        results = self.run_suites("good")
        self.assertEqual(results["failed"], [])
        self.assertEqual(len(results["suites"]["good"]["rows"]), 1)
        self.assertIn("NOT MET: x: <= 1, measured 2", self.said.getvalue())

    def test_a_suite_that_fails_leaves_the_others_their_figures(self):
        results = self.run_suites("failing", "good")
        self.assertEqual(results["failed"], ["failing: failed: program --json"])
        self.assertTrue(results["suites"]["good"]["rows"])
        self.assertIn("WARNING: failing: failed", self.said.getvalue())

    def test_an_interrupt_keeps_what_is_there(self):
        results = self.run_suites("good", "interrupted", "failing")
        self.assertEqual(list(results["suites"]), ["good"])
        self.assertEqual(results["failed"], ["interrupted in interrupted"])

    def test_a_bad_row_is_an_error_of_ours(self):
        with self.assertRaisesRegex(ValueError, "no figures"):
            self.run_suites("wrong")

    def test_an_unknown_suite_is_a_usage_error(self):
        with contextlib.redirect_stderr(io.StringIO()), \
                self.assertRaises(SystemExit) as ended:
            run.parse_run(["latencies"])
        self.assertEqual(ended.exception.code, 2)


class RowsTest(unittest.TestCase):
    def test_ratios_are_of_one_round(self):
        ours, theirs = made_up.row("a", [2, 9, 6]), made_up.row("b", [1, 3, 2])
        theirs["repetitions"][1]["kept"] = False
        self.assertEqual(rows.ratios(ours, theirs, "p50_ns"), [2, 3])

    def test_bad_rows_are_refused_with_what_is_wrong(self):
        good = made_up.row("a", [1])
        self.assertEqual(rows.problem(good), "")
        for change, words in (
                ({"figures": {}}, "no figures"),
                ({"figures": {"p50_ns": "faster"}}, "neither"),
                ({"figures": {"p90_ns": "lower"}}, "no repetition has p90_ns"),
                ({"parameters": {"x": [1]}}, "no plain value")):
            self.assertIn(words, rows.problem(good | change))
        with self.assertRaisesRegex(ValueError, "no peer"):
            rows.of_suite([{"question": "one_way"}])


class EnvironmentTest(unittest.TestCase):
    def test_the_clock_is_the_one_that_the_programs_take(self):
        self.assertIn("TSC", environment.counter_text("fpu nonstop_tsc", "x"))
        self.assertIn("monotonic", environment.counter_text("fpu tsc", "x"))

    def test_the_chosen_word_of_a_setting(self):
        self.assertEqual(environment.chosen("always [madvise] never"),
                         "madvise")
        self.assertEqual(environment.chosen("unknown"), "unknown")
