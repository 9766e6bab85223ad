"""The plots: lines over a quantity, percentiles, bars of ratios, dots."""

import dataclasses

from report import svg, tables, units

LABEL_PX = 13  # from one label to the next


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    low: float
    middle: float
    high: float
    words: str  # the tooltip

    def is_drawn(self):
        return self.low > 0


@dataclasses.dataclass(frozen=True)
class Series:
    peer: str
    look: object  # palette.Look
    points: list


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where the axes of a plot are."""
    width: int
    height: int
    left: int = 66
    right: int = 132
    top: int = 14
    bottom: int = 46

    @property
    def x_end(self):
        return self.width - self.right

    @property
    def y_end(self):
        return self.height - self.bottom


def y_axis(frame, scale, figure):
    labelled, between = scale.ticks()
    parts = [svg.line(frame.left, scale.at(y), frame.x_end, scale.at(y),
                      class_="grid faint") for y in between]
    for y in labelled:
        parts.append(svg.line(frame.left, scale.at(y), frame.x_end, scale.at(y),
                              class_="grid"))
        parts.append(svg.text(frame.left - 8, scale.at(y) + 4,
                              units.tick_text(figure, y),
                              text_anchor="end", class_="tick"))
    return "".join(parts)


def x_axis(frame, places, name):
    """places: [(pixel, label)]; labels that would touch are left out."""
    parts = [svg.line(frame.left, frame.y_end, frame.x_end, frame.y_end,
                      class_="axis")]
    free_from = float("-inf")
    for x, label in places:
        parts.append(svg.line(x, frame.y_end, x, frame.y_end + 5,
                              class_="axis"))
        half = 3.4 * len(label)
        if x - half >= free_from:
            parts.append(svg.text(x, frame.y_end + 18, label, class_="tick",
                                  text_anchor="middle"))
            free_from = x + half + 6
    parts.append(svg.text((frame.left + frame.x_end) / 2, frame.height - 6,
                          name, text_anchor="middle", class_="name"))
    return "".join(parts)


def one_series(series, x_at, scale):
    points = [point for point in series.points if point.is_drawn()]
    places = [(x_at(point.x), scale.at(point.middle)) for point in points]
    parts = [svg.line(x, scale.at(point.low), x, scale.at(point.high),
                      class_="spread")
             for (x, _), point in zip(places, points)
             if point.high > point.low * 1.02]
    if len(places) > 1:
        parts.append(svg.path(places, class_="series" + (
            " dashed" if series.look.dashed else "")))
    parts += [svg.marker(series.look.marker, x, y, point.words)
              for (x, y), point in zip(places, points)]
    return svg.tag("g", "".join(parts), class_=series.look.colour,
                   data_peer=series.peer)


def end_labels(drawn, frame, x_at, scale):
    """Names at the right ends, led there where they had to move."""
    ends = [(x_at(s.points[-1].x), scale.at(s.points[-1].middle))
            for s in drawn]
    places = svg.spread_labels([y for _, y in ends], LABEL_PX, frame.top + 4,
                               frame.y_end - 2)
    parts = []
    for series, (x, y), place in zip(drawn, ends, places):
        parts.append(svg.tag(
            "g",
            svg.path([(x + 6, y), (frame.x_end + 8, place),
                      (frame.x_end + 12, place)], class_="leader"),
            svg.text(frame.x_end + 15, place + 4, series.peer, class_="label"),
            class_=series.look.colour))
    return "".join(parts)


def lines(identity, name, description, figure, all_series, x_places, x_name,
          y_range, x_scale, size=(680, 380)):
    """Series over a quantity. x_places: [(x, label)]; x_scale: svg.Log or
    svg.Linear, which it is in any case where there is a nought."""
    frame = Frame(*size)
    xs = [x for x, _ in x_places]
    if min(xs) <= 0:
        x_scale = svg.Linear
    across = x_scale(min(xs), max(xs), frame.left + 14, frame.x_end - 14)
    scale = svg.Log(*y_range, frame.y_end, frame.top)
    drawn = [dataclasses.replace(s, points=[p for p in s.points
                                            if p.is_drawn()])
             for s in all_series]
    drawn = [s for s in drawn if s.points]
    content = (y_axis(frame, scale, figure)
               + x_axis(frame, [(across.at(x), label) for x, label in x_places],
                        x_name)
               + "".join(one_series(s, across.at, scale) for s in drawn)
               + end_labels(drawn, frame, across.at, scale))
    return svg.drawing(*size, name, description, identity, content)


@dataclasses.dataclass(frozen=True)
class Bar:
    peer: str
    look: object
    ratios: list  # per round
    words: str


def ratio_label(value):
    return f"{units.short(value)}x"


def ratio_bars(identity, name, description, bars, limits, reads, width=520):
    """Horizontal bars from 1; limits: the least and the most of the axis."""
    row, top, left, right = 24, 34, 132, 118
    height = top + row * len(bars) + 26
    scale = svg.Log(*limits, left, width - right)
    one = scale.at(1)
    end = top + row * len(bars)
    labelled, _ = scale.ticks()
    parts = []
    free_from = float("-inf")
    for tick in labelled:
        parts.append(svg.line(scale.at(tick), top - 4, scale.at(tick), end,
                              class_="grid"))
        if scale.at(tick) >= free_from:
            parts.append(svg.text(scale.at(tick), end + 16, ratio_label(tick),
                                  text_anchor="middle", class_="tick"))
            free_from = scale.at(tick) + 34
    parts.append(svg.text(0, top - 14, reads, class_="name"))
    for i, bar in enumerate(bars):
        parts.append(one_bar(bar, scale, one, top + row * i, row, left))
    parts.append(svg.line(one, top - 6, one, end, class_="axis"))
    return svg.drawing(width, height, name, description, identity,
                       "".join(parts))


def one_bar(bar, scale, one, y, row, left):
    low, middle, high = tables.spread(bar.ratios)
    x = scale.at(middle)
    start, length = min(one, x), max(abs(x - one), 1.5)
    middle_y = y + row / 2
    return svg.tag(
        "g", svg.title(bar.words),
        svg.tag("rect", x=float(start), y=float(y + 4), width=float(length),
                height=row - 8, class_="bar"),
        svg.line(scale.at(low), middle_y, scale.at(high), middle_y,
                 class_="spread strong"),
        svg.text(left - 8, middle_y + 4, bar.peer, text_anchor="end",
                 class_="label"),
        svg.text(max(scale.at(high), one) + 6, middle_y + 4, ratio_label(middle),
                 class_="value"),
        class_=bar.look.colour, data_peer=bar.peer)


def legend(looks, x, y):
    """Markers and names in a line, the first at x."""
    parts = []
    for peer, look in looks.items():
        parts.append(svg.tag("g", svg.marker(look.marker, x, y),
                             class_=look.colour))
        parts.append(svg.text(x + 10, y + 4, peer, class_="label"))
        x += 34 + 7 * len(peer)
    return "".join(parts)


def dots(identity, name, description, figure, categories, width=680):
    """One line for each category: [(label, [Series of one point])]."""
    row, top, left, right = 22, 34, 300, 90
    end = top + row * len(categories)
    everything = [bound for _, all_series in categories for s in all_series
                  for p in s.points for bound in (p.low, p.high)]
    scale = svg.Log(*svg.log_range(everything), left, width - right)
    parts = [legend({s.peer: s.look for _, all_series in categories
                     for s in all_series}, left, 12)]
    for tick in scale.ticks()[0]:
        parts.append(svg.line(scale.at(tick), top, scale.at(tick), end,
                              class_="grid"))
        parts.append(svg.text(scale.at(tick), end + 16,
                              units.tick_text(figure, tick),
                              text_anchor="middle", class_="tick"))
    for i, (label, all_series) in enumerate(categories):
        y = top + row * i + row / 2
        parts.append(svg.line(left, y, width - right, y, class_="grid faint"))
        parts.append(svg.text(left - 10, y + 4, label, text_anchor="end",
                              class_="label plain"))
        for series in all_series:
            (point,) = series.points
            parts.append(svg.tag(
                "g", svg.line(scale.at(point.low), y, scale.at(point.high), y,
                              class_="spread"),
                svg.marker(series.look.marker, scale.at(point.middle), y,
                           point.words),
                class_=series.look.colour, data_peer=series.peer))
        first = all_series[0].points[0]
        parts.append(svg.text(width - right + 8, y + 4,
                              units.text(figure, first.middle), class_="value"))
    return svg.drawing(width, end + 26, name, description, identity,
                       "".join(parts))
