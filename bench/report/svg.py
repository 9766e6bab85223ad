"""SVG as text: elements, scales and their ticks, markers."""

import html
import math


def number(value):
    """Short coordinates."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(
        value, float) else str(value)


def tag(name, *content, **attributes):
    """An element. class_ is class, stroke_width is stroke-width."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(number(value))}"'
        for key, value in attributes.items() if value is not None)
    inside = "".join(content)
    return f"<{name}{words}>{inside}</{name}>" if inside else f"<{name}{words}/>"


def text(x, y, words, **attributes):
    return tag("text", html.escape(words), x=float(x), y=float(y), **attributes)


def title(words):
    return tag("title", html.escape(words))


def line(x1, y1, x2, y2, **attributes):
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2),
               **attributes)


def path(points, **attributes):
    words = "M" + "L".join(f"{number(float(x))} {number(float(y))}"
                           for x, y in points)
    return tag("path", d=words, fill="none", **attributes)


def drawing(width, height, name, description, identity, content):
    """A whole SVG that screen readers announce by its title and description."""
    return tag(
        "svg",
        tag("title", html.escape(name), id=f"{identity}-title"),
        tag("desc", html.escape(description), id=f"{identity}-desc"),
        content, viewBox=f"0 0 {width} {height}", role="img", class_="plot",
        id=identity, aria_labelledby=f"{identity}-title {identity}-desc",
        xmlns="http://www.w3.org/2000/svg")


class Linear:
    """Data from low .. high to pixels from start .. end."""

    def __init__(self, low, high, start, end):
        self.low, self.high = low, high if high > low else low + 1
        self.start, self.end = start, end

    def at(self, value):
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, about=5):
        return linear_ticks(self.low, self.high, about), []


class Log:
    """The same by factors; low and high are above 0."""

    def __init__(self, low, high, start, end):
        self.low, self.high = low, high if high > low else low * 2
        self.start, self.end = start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        """(those with a label, those between): powers of ten, and 2 and 5 where
        these are few."""
        powers = range(math.floor(math.log10(self.low)),
                       math.ceil(math.log10(self.high)) + 1)
        every = [digit * 10.0 ** power for power in powers
                 for digit in range(1, 10)]
        inside = [tick for tick in every if self.holds(tick)]
        tens = [tick for tick in inside if is_power_of_ten(tick)]
        labelled = tens
        if len(tens) < 3:
            labelled = [tick for tick in inside
                        if f"{tick:e}"[0] in "125"]
        if len(labelled) < 2:
            labelled = linear_ticks(self.low, self.high, 4)
        return labelled, [tick for tick in inside if tick not in labelled]

    def holds(self, value):
        return self.low * 0.999999 <= value <= self.high * 1.000001


def is_power_of_ten(value):
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9


def linear_ticks(low, high, about):
    rough = (high - low) / max(1, about)
    if rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10)
                if step * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def log_range(values, least_factor=4):
    """A range around values, above 0: some air, and never too narrow."""
    low, high = min(values), max(values)
    middle = math.sqrt(low * high)
    factor = max(math.sqrt(least_factor), math.sqrt(high / low) * 1.25)
    return middle / factor, middle * factor


MARKER_PATHS = {
    "square": "M-3.6-3.6h7.2v7.2h-7.2z",
    "diamond": "M0-5L5 0L0 5L-5 0z",
    "triangle": "M0-5L4.8 3.6H-4.8z",
    "down": "M0 5L4.8-3.6H-4.8z",
    "cross": "M-4-4L4 4M-4 4L4-4",
    "plus": "M-5 0H5M0-5V5",
}


def marker(kind, x, y, words="", class_=""):
    """A data point; words are its tooltip."""
    place = f"translate({number(float(x))} {number(float(y))})"
    class_ = f"mark {class_}".strip()
    inside = title(words) if words else ""
    if kind in ("circle", "ring"):
        return tag("circle", inside, r=4, transform=place,
                   class_=class_ + (" open" if kind == "ring" else ""))
    stroked = " open" if kind in ("cross", "plus") else ""
    return tag("path", inside, d=MARKER_PATHS[kind], transform=place,
               class_=class_ + stroked)


def spread_labels(wanted, least, low, high):
    """Places for labels near to where they are wanted, at least so far apart;
    in the order of wanted."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = [min(max(wanted[i], low), high) for i in order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + least)
    if places and places[-1] > high:
        places[-1] = high
        for i in range(len(places) - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - least)
    found = [0.0] * len(wanted)
    for place, i in zip(places, order):
        found[i] = place
    return found
