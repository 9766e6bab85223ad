"""Do two samples differ, or is it noise? A rank test, and an interval.

The Mann-Whitney test asks only which values are larger, so that one repetition
that met something else on the machine counts as one, however far it is off; and
it is exact for the five or seven repetitions that there are, where a test by
means and deviations would have to suppose a distribution that times do not have.
"""

import functools
import math
import random
import statistics

EXACT_LIMIT = 20  # values of either sample; beyond it the normal approximation
RESAMPLES = 1000


def u_statistic(a, b):
    """How many pairs have a's value above b's; ties are a half."""
    return sum((x > y) + 0.5 * (x == y) for x in a for y in b)


@functools.lru_cache(maxsize=None)
def u_counts(n, m):
    """How many orders of n and m values have each U: (count of 0, of 1, ...)."""
    if n == 0 or m == 0:
        return (1,)
    counts = [0] * (n * m + 1)
    # The largest value is either of the n, above all m, or of the m.
    for u, count in enumerate(u_counts(n - 1, m)):
        counts[u + m] += count
    for u, count in enumerate(u_counts(n, m - 1)):
        counts[u] += count
    return tuple(counts)


def exact_p(u, n, m):
    counts = u_counts(n, m)
    low = min(u, n * m - u)
    return min(1.0, 2 * sum(counts[:int(low) + 1]) / math.comb(n + m, n))


def approximate_p(u, a, b):
    """With ties, or many values: normal, with the correction for both."""
    n, m = len(a), len(b)
    both = [*a, *b]
    ties = sum(count ** 3 - count
               for count in (both.count(x) for x in set(both)))
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def mann_whitney_p(a, b):
    """Two-sided: how often two samples of one distribution are so far apart."""
    if not a or not b:
        return 1.0
    u = u_statistic(a, b)
    has_ties = len(set(a) | set(b)) < len(a) + len(b)
    if not has_ties and max(len(a), len(b)) <= EXACT_LIMIT:
        return exact_p(u, len(a), len(b))
    return approximate_p(u, a, b)


def least_p(n, m):
    """The smallest that so few values can give at all."""
    return min(1.0, 2 / math.comb(n + m, n))


def ratio_interval(a, b, share=0.95):
    """Of median(b) / median(a), by bootstrap; the same for the same values."""
    source = random.Random(len(a) * 1009 + len(b))
    found = []
    for _ in range(RESAMPLES):
        below = statistics.median(source.choices(a, k=len(a)))
        above = statistics.median(source.choices(b, k=len(b)))
        if below > 0:
            found.append(above / below)
    if not found:
        return math.nan, math.nan
    found.sort()
    tail = (1 - share) / 2
    return (found[int(tail * len(found))],
            found[min(len(found) - 1, int((1 - tail) * len(found)))])
