"""A look for each peer that it has in every plot: colour, dash and marker.

Colours are of even steps in lightness (OKLCH), so that they can be told apart in
grey and by those who do not see hues; the marker says it once more.
"""

import dataclasses
import math

from report import rows

MARKERS = ("circle", "square", "diamond", "triangle", "down", "cross", "plus",
           "ring")
OTHER_HUES = (25, 145, 320, 70, 185, 350, 105, 285)
OURS_HUE, OURS_CHROMA, OTHER_CHROMA = 258, 0.17, 0.12
COLOURS = len(OTHER_HUES)

# Lightness of the first and the last colour, by theme.
THEMES = {"light": (0.34, 0.64), "dark": (0.90, 0.60)}
BACKGROUNDS = {"light": "#ffffff", "dark": "#15181c"}


@dataclasses.dataclass(frozen=True)
class Look:
    colour: str  # a class of the style sheet
    marker: str
    dashed: bool = False


def linear_of(lightness, chroma, hue):
    """Linear sRGB of OKLCH; beyond 0 .. 1 where no screen shows it."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)


def hex_of(lightness, chroma, hue):
    """With as much of the chroma as a screen can show."""
    while chroma > 0 and not all(-1e-4 <= x <= 1.0001
                                 for x in linear_of(lightness, chroma, hue)):
        chroma -= 0.005
    parts = []
    for x in linear_of(lightness, max(chroma, 0), hue):
        x = min(1, max(0, x))
        x = 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055
        parts.append(round(255 * x))
    return "#" + "".join(f"{part:02x}" for part in parts)


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045
                        else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lightnesses(theme, count):
    first, last = THEMES[theme]
    return [first + (last - first) * i / (count - 1) for i in range(count)]


def colours(theme):
    """{class: colour} of a theme."""
    found = {"floor": hex_of(0.55 if theme == "light" else 0.68, 0, 0)}
    for i, lightness in enumerate(lightnesses(theme, COLOURS)):
        found[f"other{i}"] = hex_of(lightness, OTHER_CHROMA, OTHER_HUES[i])
        found[f"ours{i}"] = hex_of(lightness, OURS_CHROMA, OURS_HUE)
    return found


def css(theme):
    return "".join(f"--{name}:{colour};"
                   for name, colour in colours(theme).items())


def rules():
    """What makes a class of the palette paint."""
    return "\n".join(f".{name}{{--ink:var(--{name})}}"
                     for name in colours("light"))


def looks(peers):
    """{peer: Look}, the same however the peers are ordered."""
    found = {}
    kinds = (("floor", rows.is_floor), ("ours", rows.is_ours),
             ("other", lambda peer: not rows.is_floor(peer)
              and not rows.is_ours(peer)))
    for kind, is_kind in kinds:
        for i, peer in enumerate(sorted(filter(is_kind, set(peers)))):
            colour = kind if kind == "floor" else f"{kind}{spread_out(i)}"
            # The second eight have the first's colours and other markers.
            marker = MARKERS[(i + i // COLOURS) % len(MARKERS)]
            found[peer] = Look(colour, marker, kind == "floor"
                               or i >= COLOURS)
    return found


def spread_out(index):
    """Far apart in lightness while there are few: 0, 4, 2, 6, 1, 5, 3, 7."""
    return (0, 4, 2, 6, 1, 5, 3, 7)[index % COLOURS]
