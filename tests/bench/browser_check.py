#!/usr/bin/env python3
"""Looks at the report in headless Chromium: is all of it there to be seen?

usage: browser_check.py [FILE.html] [--screenshot FILE.png]

Without a file it makes a report of made-up results, and then breaks it in every
way that it should notice. Exit code 75: there is no Chromium that starts.
"""

import argparse
import html.parser
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(HERE.parent.parent / "bench"), str(HERE)]

import browser  # noqa: E402
import made_up  # noqa: E402
from report import page  # noqa: E402

NOT_RUN = 75
LEAST_CONTRAST = 3  # of text and paper

# Everything that is looked at, in the page itself.
LOOK = """(() => {
  const box = e => { const b = e.getBoundingClientRect();
                     return [b.left, b.top, b.width, b.height]; };
  const styled = e => getComputedStyle(e);
  return {
    width: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
    paper: styled(document.documentElement).backgroundColor,
    text: styled(document.body).color,
    tables: [...document.querySelectorAll("table")].length,
    plots: [...document.querySelectorAll("svg.plot")].map(svg => ({
      id: svg.id, box: box(svg),
      title: svg.querySelector(":scope > title")?.textContent ?? "",
      desc: svg.querySelector(":scope > desc")?.textContent ?? "",
      data: [...svg.querySelectorAll("[data-peer]")].map(g => ({
        peer: g.dataset.peer, box: box(g),
        inks: [...g.querySelectorAll(".mark, .series, .bar")].map(e =>
          [styled(e).fill, styled(e).stroke, styled(e).visibility])})),
      outside: [...svg.querySelectorAll("text")].filter(t => {
        const b = t.getBoundingClientRect(), s = svg.getBoundingClientRect();
        return b.left < s.left - 2 || b.right > s.right + 2;
      }).map(t => t.textContent)}))};
})()"""


class Expected(html.parser.HTMLParser):
    """The plots that the file's text has, by id: what the report intended."""

    def __init__(self, text):
        super().__init__()
        self.plots = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "svg" and attributes.get("class") == "plot":
            self.plots.append(attributes["id"])


def is_ink(words, paper):
    fill, stroke, visibility = words
    seen = {fill, stroke} - {"none", "rgba(0, 0, 0, 0)", paper}
    return bool(seen) and visibility == "visible"


def plot_problems(plot, paper):
    name = plot["id"] or "a plot without id"
    if min(plot["box"][2:]) < 50:
        yield f"{name}: is {plot['box'][2]:.0f} x {plot['box'][3]:.0f} pixels"
    if not plot["title"] or not plot["desc"]:
        yield f"{name}: has no title or no description"
    if not plot["data"]:
        yield f"{name}: is empty"
    left, top, width, height = plot["box"]
    for data in plot["data"]:
        x, y, w, h = data["box"]
        if max(w, h) <= 0 or not any(is_ink(ink, paper)
                                     for ink in data["inks"]):
            yield f"{name}: nothing to be seen of {data['peer']}"
        elif (x < left - 3 or y < top - 3 or x + w > left + width + 3
              or y + h > top + height + 3):
            yield f"{name}: {data['peer']} is outside"
    for words in plot["outside"]:
        yield f"{name}: text does not fit: {words}"


def problems(shown, expected):
    """What is wrong with a page.

    shown: a browser.Page; expected: ids of the plots that must be there."""
    yield from (f"console: {words}" for words in shown.complaints())
    yield from (f"asks for {url}" for url in shown.requests())
    seen = shown.evaluate(LOOK)
    if seen["width"] > seen["window"] + 1:
        yield f"is {seen['width']} pixels wide in {seen['window']}"
    if not seen["tables"]:
        yield "has no table"
    ids = [plot["id"] for plot in seen["plots"]]
    yield from (f"{name}: missing" for name in expected if name not in ids)
    yield from (f"{name}: more than once" for name in set(ids)
                if ids.count(name) > 1)
    if not ids:
        yield "has no plot"
    for plot in seen["plots"]:
        yield from plot_problems(plot, seen["paper"])
    yield from theme_problems(shown)


def contrast(one, other):
    def luminance(words):
        parts = [int(x) / 255 for x in re.findall(r"\d+", words)[:3]]
        red, green, blue = (x / 12.92 if x <= 0.04045
                            else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def theme_problems(shown):
    papers = []
    for dark in (True, False):
        shown.dark(dark)
        seen = shown.evaluate(LOOK)
        papers.append(seen["paper"])
        if contrast(seen["paper"], seen["text"]) < LEAST_CONTRAST:
            yield (f"{'dark' if dark else 'light'}: text {seen['text']} on "
                   f"{seen['paper']}")
    if papers[0] == papers[1]:
        yield "looks the same in dark and light"


def look_at(chromium, path, expected, screenshot=None):
    shown = browser.Page(chromium, path.as_uri())
    try:
        found = list(problems(shown, expected))
        if screenshot:
            shown.screenshot(screenshot)
            shown.dark(True)
            shown.screenshot(screenshot.with_name(
                screenshot.stem + "-dark" + screenshot.suffix))
        return found
    finally:
        shown.close()


# What to break in a good report, and what must be said of it.
SVG = r'<svg viewBox="[^"]*" role="img" class="plot" id="%s".*?</svg>'
LINE = r'(id="%s".*?<path d=")[^"]*(" fill="none" class="series)'


def breakages(text, victim):
    """(what is done, the text after it, a word of the complaint)."""
    def without_policy(words):
        return re.sub(r"<meta http-equiv[^>]*>", "", words)

    def before_end(words):
        return text.replace("</main>", words + "</main>")

    def in_victim(pattern, replacement):
        return re.sub(pattern % re.escape(victim), replacement, text, count=1,
                      flags=re.DOTALL)

    yield ("a plot is gone", in_victim(SVG, ""), "missing")
    yield ("a plot's coordinates are no numbers",
           in_victim(LINE, r"\1MNaN NaNLnan 5\2"), "console")
    yield ("a plot is empty", re.sub(
        rf'(id="{victim}".*?<desc.*?</desc>).*?</svg>', r"\1</svg>", text,
        count=1, flags=re.DOTALL), "empty")
    yield ("a plot is hidden", text.replace(
        "</style>", f"#{victim}{{display:none}}</style>"), "0 x 0 pixels")
    yield ("lines and markers have no colour", text.replace(
        "</style>", "svg *{fill:none!important;stroke:none!important}</style>"),
        "nothing to be seen")
    yield ("an image from elsewhere",
           before_end('<img alt="" src="http://example.invalid/a.png">'),
           "console")
    yield ("the same without the policy that forbids it", without_policy(
        before_end('<img alt="" src="http://example.invalid/a.png">')),
        "asks for http://example.invalid/a.png")
    yield ("a script that fails", without_policy(
        before_end("<script>null.x</script>")), "console: Uncaught")
    yield ("no dark colours", re.sub(
        r"prefers-color-scheme: ?dark", "prefers-contrast:custom", text),
        "same in dark and light")
    yield ("wider than the window",
           before_end('<div style="width:5000px">-</div>'), "pixels wide")
    yield ("no title", in_victim(
        r'(id="%s".*?)<title.*?</title>', r"\1"), "no title")


def check_breakages(chromium, directory, text, expected):
    """0 if each was noticed."""
    missed = 0
    victim = next(name for name in expected if name.startswith("curve"))
    for what, broken, complaint in breakages(text, victim):
        assert broken != text, what
        path = directory / "broken.html"
        path.write_text(broken, encoding="utf-8")
        found = look_at(chromium, path, expected)
        noticed = [words for words in found if complaint in words]
        missed += not noticed
        print(f"  noticed: {what}: {noticed[0][:90]}" if noticed
              else f"  NOT NOTICED: {what}", flush=True)
    return missed


def kinds(expected):
    """How many plots there are of each kind."""
    names = [name.split("-", 1)[0] for name in expected]
    return {kind: names.count(kind) for kind in dict.fromkeys(names)}


WANTED_KINDS = ("curve", "percentiles", "bars", "dots")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=pathlib.Path)
    parser.add_argument("--screenshot", type=pathlib.Path)
    options = parser.parse_args()
    program = browser.find()
    if not program or not browser.starts(program):
        print("no Chromium that starts: tools/dev packages check")
        return NOT_RUN
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        path = options.file or page.write(made_up.whole_run(),
                                          directory / "report.html")
        text = path.read_text(encoding="utf-8")
        expected = Expected(text).plots
        with browser.Browser(program, directory / "profile") as chromium:
            found = look_at(chromium, path.absolute(), expected,
                            options.screenshot)
            if not options.file:
                found += [f"no plot of kind {kind}" for kind in WANTED_KINDS
                          if kind not in kinds(expected)]
            print(f"  {path.name}: {kinds(expected)}; "
                  f"{'; '.join(found) or 'nothing wrong'}", flush=True)
            missed = 0 if options.file else check_breakages(
                chromium, directory, text, expected)
    return 1 if found or missed else 0


if __name__ == "__main__":
    sys.exit(main())
