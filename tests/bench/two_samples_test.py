"""The rank test and the interval, against answers that are known."""

import itertools
import math
import random
import statistics
import unittest

import made_up
from report import two_samples


class RankTest(unittest.TestCase):
    def test_a_textbook_example_has_its_p(self):
        males, females = [19, 22, 16, 29, 24], [20, 11, 17, 12]
        self.assertEqual(two_samples.u_statistic(males, females), 17)
        self.assertAlmostEqual(two_samples.mann_whitney_p(males, females),
                               0.1111, places=4)

    def test_samples_apart_have_the_least_p_there_is(self):
        self.assertAlmostEqual(
            two_samples.mann_whitney_p(range(5), range(10, 15)), 2 / 252)
        self.assertAlmostEqual(two_samples.least_p(5, 5), 2 / 252)

    def test_every_split_of_ranks_is_counted_once(self):
        # By enumeration, which needs none of the recursion.
        counts = [0] * 13
        for chosen in itertools.combinations(range(7), 3):
            rest = [x for x in range(7) if x not in chosen]
            counts[int(two_samples.u_statistic(chosen, rest))] += 1
        self.assertEqual(two_samples.u_counts(3, 4), tuple(counts))

    def test_equal_values_never_differ(self):
        self.assertEqual(two_samples.mann_whitney_p([5] * 7, [5] * 7), 1)

    def test_ties_are_near_to_what_no_ties_give(self):
        exact = two_samples.mann_whitney_p(range(10), [x + 4.5 for x in
                                                       range(10)])
        tied = two_samples.mann_whitney_p([*range(9), 9],
                                          [4, *(x + 4.5 for x in range(1, 10))])
        self.assertLess(abs(exact - tied), 0.03)

    def test_the_normal_approximation_is_near_to_the_exact_one(self):
        a, b = list(range(20)), [x + 5.5 for x in range(20)]
        u = two_samples.u_statistic(a, b)
        self.assertAlmostEqual(two_samples.approximate_p(u, a, b),
                               two_samples.exact_p(u, 20, 20), delta=0.003)

    def test_one_distribution_differs_as_rarely_as_p_says(self):
        source = random.Random(1)
        found = sum(
            two_samples.mann_whitney_p(
                [source.gauss(0, 1) for _ in range(7)],
                [source.gauss(0, 1) for _ in range(7)]) <= 0.05
            for _ in range(2000))
        self.assertLess(abs(found / 2000 - 0.05), 0.02)

    def test_one_outlier_does_not_hide_a_difference(self):
        before = [100, 101, 99, 102, 98, 100.5, 900]
        after = [130, 131, 129, 132, 128, 130.5, 131.5]
        self.assertLess(two_samples.mann_whitney_p(before[:6], after), 0.01)
        self.assertLess(two_samples.mann_whitney_p(before, after), 0.1)


class IntervalTest(unittest.TestCase):
    def test_it_holds_the_true_ratio_about_as_often_as_it_says(self):
        held = 0
        for seed in range(40):
            a = made_up.noisy(seed, 100, 15)
            b = made_up.noisy(seed + 1000, 120, 15)
            low, high = two_samples.ratio_interval(a, b)
            self.assertLessEqual(
                low, statistics.median(b) / statistics.median(a))
            held += low <= 1.2 <= high
        self.assertGreaterEqual(held, 34)

    def test_the_same_values_give_the_same_interval(self):
        a, b = made_up.noisy(1, 100), made_up.noisy(2, 100)
        self.assertEqual(two_samples.ratio_interval(a, b),
                         two_samples.ratio_interval(a, b))

    def test_nothing_to_divide_by_is_no_interval(self):
        low, _ = two_samples.ratio_interval([0] * 5, [1] * 5)
        self.assertTrue(math.isnan(low))
