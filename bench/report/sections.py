"""From rows to figures: which plots a question gets.

A question is drawn in facets: one for each combination of its parameters, except
the one that the lines run over (the first of QUANTITIES that has two values).
"""

import dataclasses
import re

from report import charts, palette, rows, svg, tables, units

# What lines can run over, in order of preference, and the axis' name.
QUANTITIES = {
    "length_bytes": "message, bytes",
    "receivers": "receivers", "senders": "senders", "members": "members",
    "groups": "groups", "batch": "messages in a batch",
    "burst": "messages in a burst", "messages": "messages",
    "threads": "threads", "region_mib": "region, MiB",
    "touched_mib": "memory touched, MiB",
}
MANY_FACETS = 6
# A facet's bars compare with the first of these that is there.
REFERENCES = ("zcb", "zcb_native", "zcb_cpg_next", "zcb_cpg")


@dataclasses.dataclass
class Facet:
    question: str
    parameters: dict
    quantity: str  # a parameter, or ""
    rows: list
    # Its rows are in another facet, too, which draws all else.
    curves_only: bool = False
    # One of so many single figures that they are read side by side.
    is_one_of_many: bool = False

    @property
    def title(self):
        return rows.parameters_text(self.parameters)

    def peers(self):
        return list(dict.fromkeys(row["peer"] for row in self.rows))

    def places(self):
        """The values of the quantity, in order; one None if there is none."""
        if not self.quantity:
            return [None]
        return sorted({row["parameters"][self.quantity] for row in self.rows
                       if self.quantity in row["parameters"]})

    def find(self, peer, place):
        """What has no quantity, as a floor of any size, is at every place."""
        for row in self.rows:
            if (row["peer"] == peer
                    and row["parameters"].get(self.quantity, place) == place):
                return row
        return None


def is_numeric(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def quantities_of(question_rows):
    """The parameters that lines can run over, the best one first."""
    seen = {}
    for row in question_rows:
        for name, value in row["parameters"].items():
            if is_numeric(value) and value > 0:
                seen.setdefault(name, set()).add(value)
    several = [name for name, found in seen.items() if len(found) > 1]
    return [name for name in dict.fromkeys((*QUANTITIES, *several))
            if name in several]


def others_of(row, quantity):
    return {name: value for name, value in row["parameters"].items()
            if name != quantity}


def belongs(row, parameters, quantity):
    """A floor that lacks a parameter is the same for all values of it."""
    others = others_of(row, quantity)
    if rows.is_floor(row["peer"]):
        return others.items() <= parameters.items()
    return others == parameters


def facets_over(question, question_rows, quantity):
    combinations = []
    for row in sorted(question_rows, key=lambda row: rows.is_floor(row["peer"])):
        others = others_of(row, quantity)
        if rows.is_floor(row["peer"]) and any(
                others.items() <= one.items() for one in combinations):
            continue
        if others not in combinations:
            combinations.append(others)
    return [Facet(question, parameters, quantity,
                  [row for row in question_rows
                   if belongs(row, parameters, quantity)])
            for parameters in combinations]


def facets_of(question, question_rows):
    """Lines run over the first quantity; over the others where that shows rows
    which were not shown before. What is left are single figures."""
    found, shown = [], set()
    for number, quantity in enumerate(quantities_of(question_rows)):
        fresh = [facet for facet
                 in facets_over(question, question_rows, quantity)
                 if len(facet.places()) > 1
                 and any(id(row) not in shown for row in facet.rows)]
        for facet in fresh:
            facet.curves_only = number > 0
            shown.update(id(row) for row in facet.rows)
        found += fresh
    rest = [row for row in question_rows if id(row) not in shown]
    singles = facets_over(question, rest, "")
    for facet in singles:
        facet.is_one_of_many = len(singles) > MANY_FACETS
    return found + singles


def figures_of(facet):
    """(percentiles in order, other figures) that any row has; of percentiles of
    something in particular ("send_p50_ns") the least only."""
    names = dict.fromkeys(name for row in facet.rows for name in row["figures"])
    percentiles = sorted((name for name in names
                          if units.quantile_of(name) is not None),
                         key=units.quantile_of)
    others = {}
    for name in names:
        if name not in percentiles:
            family, share = units.family_of(name)
            if (family not in others
                    or share < units.family_of(others[family])[1]):
                others[family] = name
    if "messages_per_s" in others:
        # The same, by the size.
        for name in ("MB_per_s", "bytes_per_s"):
            others.pop(name, None)
    return percentiles, list(others.values())


def better_of(facet, figure):
    return next(row["figures"][figure] for row in facet.rows
                if figure in row["figures"])


def point(row, figure, x):
    """None where nothing was kept."""
    values = rows.values(row, figure) if row else []
    if not values:
        return None
    low, middle, high = tables.spread(values)
    words = (f"{row['peer']}, {rows.parameters_text(row['parameters'])}: "
             f"{units.name(figure)} {units.text(figure, middle)} "
             f"({units.text(figure, low)} .. {units.text(figure, high)})")
    return charts.Point(x, low, middle, high, words)


def series_of(facet, looks, figure_at):
    """figure_at: [(x, place, figure)]."""
    found = []
    for peer in facet.peers():
        points = [point(row, figure, x) for x, place, figure in figure_at
                  for row in [facet.find(peer, place)]
                  if row and figure in row["figures"]]
        points = [one for one in points if one and one.is_drawn()]
        if points:
            found.append(charts.Series(peer, looks[peer], points))
    return found


def y_range(all_series):
    return svg.log_range([bound for s in all_series for p in s.points
                          for bound in (p.low, p.high)])


def identity(*words):
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, words)).lower()).strip(
        "-")


def place_text(facet, place):
    if place is None:
        return ""
    return rows.parameter_text(facet.quantity, place)


class Painter:
    """Draws the facets of a suite; wanted: the peer to compare with, or ''."""

    def __init__(self, suite, looks, wanted=""):
        self.suite = suite
        self.looks = looks
        self.wanted = wanted

    def heading(self, facet, *words):
        return ", ".join(filter(None, (facet.question.replace("_", " "),
                                       facet.title, *words)))

    def identity(self, kind, facet, *words):
        return identity(kind, self.suite, facet.question, facet.title, *words)

    def curve(self, facet, figure):
        """A figure over the quantity; '' where there is no line to draw."""
        places = facet.places()
        if len(places) < 2:
            return ""
        drawn = series_of(facet, self.looks,
                          [(place, place, figure) for place in places])
        if not any(len(s.points) > 1 for s in drawn):
            return ""
        name = f"{units.name(figure)} over {facet.quantity.replace('_', ' ')}"
        better = better_of(facet, figure)
        return charts.lines(
            self.identity("curve", facet, facet.quantity, figure),
            f"{self.heading(facet)}: {name}",
            f"One line per peer, both axes logarithmic, {better} is better. "
            "Markers are medians, thin vertical lines go from the least to the "
            f"most. {self.words(drawn, figure)}",
            figure, drawn,
            [(place, plain(facet.quantity, place)) for place in places],
            QUANTITIES.get(facet.quantity, facet.quantity.replace("_", " ")),
            y_range(drawn), svg.Log)

    @staticmethod
    def words(drawn, figure):
        """What somebody who does not see the plot gets told."""
        ends = [f"{s.peer} {units.text(figure, s.points[0].middle)} to "
                f"{units.text(figure, s.points[-1].middle)}"
                if len(s.points) > 1 else
                f"{s.peer} {units.text(figure, s.points[0].middle)}"
                for s in drawn]
        return "; ".join(ends) + "."

    def percentiles(self, facet):
        """A plot for each place, all with the same vertical axis."""
        figures, _ = figures_of(facet)
        if len(figures) < 3:
            return []
        by_place = [(place, series_of(facet, self.looks,
                                      [(i, place, figure) for i, figure
                                       in enumerate(figures)]))
                    for place in facet.places()]
        by_place = [(place, drawn) for place, drawn in by_place if drawn]
        if not by_place:
            return []
        same = y_range([s for _, drawn in by_place for s in drawn])
        return [charts.lines(
            self.identity("percentiles", facet, place),
            f"{self.heading(facet, place_text(facet, place))}: percentiles",
            "One line per peer from the median to the maximum, vertical axis "
            f"logarithmic. {self.words(drawn, figures[0])}",
            figures[0], drawn,
            [(i, units.name(figure)) for i, figure in enumerate(figures)],
            place_text(facet, place) or "percentile", same, svg.Linear,
            size=(520, 330)) for place, drawn in by_place]

    def reference(self, facet):
        peers = facet.peers()
        if self.wanted in peers:
            return self.wanted
        return next((peer for peer in (*REFERENCES, *peers) if peer in peers
                     and (rows.is_ours(peer) or peer in REFERENCES)), "")

    def bars(self, facet, figure):
        """Ratios to the reference, a plot for each place."""
        against = self.reference(facet)
        by_place = []
        for place in facet.places():
            base = facet.find(against, place) if against else None
            if base is None or figure not in base["figures"]:
                continue
            found = []
            for peer in facet.peers():
                row = facet.find(peer, place)
                ratios = rows.ratios(row, base, figure) if row else []
                if ratios and min(ratios) > 0:
                    found.append(charts.Bar(
                        peer, self.looks[peer], ratios,
                        f"{peer} / {against}: {tables.ratio_text(ratios)}"))
            if len(found) > 1:
                by_place.append((place, found))
        if not by_place:
            return []
        limits = svg.log_range([ratio for _, found in by_place for bar in found
                                for ratio in (*bar.ratios, 1)])
        reads = f"{units.name(figure)} / that of {against}"
        return [charts.ratio_bars(
            self.identity("bars", facet, figure, place),
            f"{self.heading(facet, place_text(facet, place))}: {reads}",
            f"Ratios per round, {better_of(facet, figure)} is better. "
            + "; ".join(bar.words for bar in found) + ".",
            found, limits,
            ": ".join(filter(None, (place_text(facet, place), reads))))
            for place, found in by_place]

    def draw(self, facet):
        """All plots of a facet, by kind."""
        percentiles, others = figures_of(facet)
        first = [*percentiles[:1], *others]
        curves = [self.curve(facet, figure) for figure in first]
        if facet.curves_only:
            return {"curves": [one for one in curves if one],
                    "percentiles": [], "bars": []}
        bars = self.bars(facet, first[0])
        return {"curves": [one for one in curves if one],
                "percentiles": self.percentiles(facet), "bars": bars}

    def dots(self, facets):
        """Facets of which nothing else can be drawn, in one plot per unit."""
        by_unit = {}
        for facet in facets:
            percentiles, others = figures_of(facet)
            for figure in [*percentiles[:1], *others]:
                drawn = series_of(facet, self.looks, [(0, None, figure)])
                if drawn:
                    unit = (units.time_scale_ns(figure) and "time",
                            units.is_rate(figure), figure.endswith("bytes"))
                    label = self.heading(facet)
                    if others:
                        label += f": {units.name(figure)}"
                    by_unit.setdefault(unit, []).append((figure, label, drawn))
        return [charts.dots(
            identity("dots", self.suite, number),
            f"{self.suite}: figures side by side",
            "A line for each figure, horizontal axis logarithmic. " + " ".join(
                f"{label}: {self.words(drawn, figure)}"
                for figure, label, drawn in found),
            found[0][0], scaled(found))
            for number, found in enumerate(by_unit.values())]


def scaled(found):
    """All points in the unit of the first figure."""
    base = units.time_scale_ns(found[0][0]) or 1
    categories = []
    for figure, label, drawn in found:
        factor = (units.time_scale_ns(figure) or 1) / base
        categories.append((label[-46:], [dataclasses.replace(s, points=[
            dataclasses.replace(p, low=p.low * factor, high=p.high * factor,
                                middle=p.middle * factor)
            for p in s.points]) for s in drawn]))
    return categories


def plain(quantity, value):
    if quantity == "length_bytes":
        return tables.size_text(value)
    return f"{value:,}"
