"""The report: one HTML file with all in it that it needs, and no script."""

import html
import itertools
import pathlib

from report import (palette, progress, rows, sections, tables, units)

STYLE = pathlib.Path(__file__).with_name("page.css")
# The page may load nothing at all; a browser that reads this makes sure.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

QUESTIONS = {
    "one_way": ("One way", "Half of a round trip between two processes, each "
                "timed by itself. Everything both sides do is inside."),
    "stream": ("Stream", "One sender, one receiver, as fast as the transport "
               "lets them."),
    "fan_out": ("Fan-out", "One sender, several receivers."),
    "many_senders": ("Many senders", "Several processes send to one group."),
    "many_groups": ("Many groups", "One process in several groups."),
    "burst": ("Bursts", "Sent while the reader sleeps, then drained."),
    "wake": ("Waking", "What it costs to wake somebody, and to be woken."),
    "pages": ("Pages", "Huge pages against 4 KiB."),
    "footprint": ("Memory", "What regions, groups, members and messages take."),
    "growth": ("Growth", "Against the region's size and the members' number."),
    "pair": ("Alloc and free", "One thread; the memory is not touched."),
    "batch": ("Batch", "Several at a time."),
}


def escape(words):
    return html.escape(str(words))


def table(head, lines, classes=()):
    """classes: of the last column's cells."""
    def line_of(cells, kind, last=""):
        marks = [""] * (len(cells) - 1) + [f' class="{last}"' if last else ""]
        return "<tr>" + "".join(
            f"<{kind}{' scope=col' if kind == 'th' else ''}{mark}>"
            f"{escape(cell)}</{kind}>" for cell, mark in zip(cells, marks)
        ) + "</tr>"
    body = "".join(line_of(cells, "td", last) for cells, last in
                   itertools.zip_longest(lines, classes, fillvalue=""))
    return (f'<div class="wide"><table><thead>{line_of(head, "th")}</thead>'
            f"<tbody>{body}</tbody></table></div>")


def figure(plot, caption=""):
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{words}{plot}</figure>"


def panels(plots):
    if not plots:
        return ""
    return f'<div class="panels">{"".join(map(figure, plots))}</div>'


def warnings(words):
    if not words:
        return ""
    return ('<div class="warning" role="note">'
            + "".join(f"<p>{escape(word)}</p>" for word in words) + "</div>")


VERDICTS = {True: ("met", "✓ met"), False: ("missed", "✗ not met"),
            None: ("unknown", "– not measured")}


def summary(targets):
    """targets: [(suite, target)]."""
    if not targets:
        return ""
    counts = "".join(
        f'<div class="{VERDICTS[verdict][0]}">'
        f"<b>{sum(target.get('met') is verdict for _, target in targets)}</b>"
        f"{VERDICTS[verdict][1][2:]}</div>" for verdict in VERDICTS)
    order = sorted(targets, key=lambda one: one[1].get("met") is not False)
    return ('<h2 id="targets">Targets</h2>'
            f'<div class="counts">{counts}</div>'
            + table(["", "suite", "target", "measured", "verdict"],
                    [[target["what"], suite, target["limit"],
                      target.get("text") or units.UNKNOWN,
                      VERDICTS[target.get("met")][1]]
                     for suite, target in order],
                    [VERDICTS[target.get("met")][0] for _, target in order]))


def facet_table(facet, against):
    """Every figure of every row: median and spread."""
    names = list(dict.fromkeys(name for row in facet.rows
                               for name in row["figures"]))
    head = ["", *([facet.quantity.replace("_", " ")] if facet.quantity else []),
            *map(units.name, names), "kept"]
    if against:
        head.append(f"{units.name(names[0])} / {against}")
    lines = []
    for place in facet.places():
        for peer in facet.peers():
            row = facet.find(peer, place)
            if row is None:
                continue
            cells = [peer]
            if facet.quantity:
                cells.append(sections.plain(facet.quantity, place))
            # The spread of all of many would be too wide to read.
            cells += [figure_text(row, name)
                      if name == names[0] or len(names) <= 3 else
                      units.text(name, tables.median(rows.values(row, name)))
                      for name in names]
            cells.append(f"{len(rows.kept(row))} of {len(row['repetitions'])}")
            if against:
                base = facet.find(against, place)
                cells.append(tables.ratio_text(
                    rows.ratios(row, base, names[0]) if base else []))
            lines.append(cells)
    return table(head, lines)


def figure_text(row, name):
    values = rows.values(row, name)
    if not values:
        return units.UNKNOWN
    low, middle, high = tables.spread(values)
    if len(values) == 1 or low == high:
        return units.text(name, middle)
    return (f"{units.text(name, middle)} ({units.text(name, low)} .. "
            f"{units.text(name, high)})")


def folded(words, inside):
    return (f"<details><summary>{escape(words)}</summary>{inside}</details>")


def facet_html(painter, facet, plots):
    parts = []
    if facet.title:
        parts.append(f"<h4>{escape(facet.title)}</h4>")
    parts += map(figure, plots["curves"])
    parts.append(panels(plots["percentiles"]))
    parts.append(panels(plots["bars"]))
    words = ", ".join(filter(None, ("Table", facet.title)))
    parts.append(folded(words, facet_table(facet, painter.reference(facet))))
    return "".join(parts)


def suite_html(name, result, looks, against):
    suite_rows, _ = rows.of_suite(result)
    painter = sections.Painter(name, looks, against)
    parts = [f'<h2 id="suite-{escape(name)}">{escape(name)}</h2>']
    noise = result.get("noise")
    if noise:
        parts.append(
            f'<p class="facts">{progress.duration_text(result["seconds"])} '
            f"minutes; others kept {noise['others_cpus']:.2f} processors busy, "
            f"{noise['steal_share']:.1%} stolen; {noise['dropped']} of "
            f"{noise['repetitions']} repetitions dropped</p>")
        if not noise["believable"]:
            parts.append(warnings(["Too noisy to believe: "
                                   + "; ".join(noise["reasons"]) + "."]))
    questions = {}
    for row in suite_rows:
        questions.setdefault(row["question"], []).append(row)
    left_over = []
    for question, mine in questions.items():
        drawn = []
        for facet in sections.facets_of(question, mine):
            if facet.is_one_of_many:
                left_over.append(facet)
                continue
            plots = painter.draw(facet)
            if any(plots.values()):
                drawn.append((facet, plots))
            else:
                left_over.append(facet)
        if drawn:
            heading, words = QUESTIONS.get(
                question, (question.replace("_", " ").capitalize(), ""))
            parts.append(f"<h3>{escape(heading)}</h3>")
            parts.append(f"<p>{escape(words)}</p>" if words else "")
            parts += [facet_html(painter, *one) for one in drawn]
    parts.append(left_over_html(painter, left_over))
    if not suite_rows:
        parts.append("<p>This suite gave no rows; its tables were printed.</p>")
    return "".join(parts)


def left_over_html(painter, facets):
    if not facets:
        return ""
    names = list(dict.fromkeys(name for facet in facets for row in facet.rows
                               for name in row["figures"]))
    lines = [[painter.heading(facet), row["peer"],
              *(figure_text(row, name) for name in names)]
             for facet in facets for row in facet.rows]
    return ("".join(map(figure, painter.dots(facets)))
            + folded("Table", table(["", "peer", *map(units.name, names)],
                                    lines)))


def fact_text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{one:.2f}" if isinstance(one, float) else str(one)
                         for one in value)
    return str(value)


def environment_html(results):
    facts = dict(results["environment"])
    if results.get("command"):
        facts = {"command": results["command"]} | facts
    if results.get("skipped"):
        facts["peers skipped"] = "; ".join(
            f"{peer}: {why}" for peer, why in results["skipped"].items())
    return ('<h2 id="environment">Environment</h2><dl>' + "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt>"
        f"<dd>{escape(fact_text(value))}</dd>"
        for name, value in facts.items()) + "</dl>")


HOW_TO_READ = (
    "Markers and bars are medians over the repetitions that were kept, thin "
    "lines go from the least to the most. A repetition is dropped if the floor, "
    "one cache line from one processor to the other, moved by more than 15 % "
    "meanwhile. Ratios are taken per round, between figures measured within "
    "the same minute. Compare ratios, not nanoseconds, between machines. Floors "
    "and further peers are dashed; point at a mark to read its figures.")


def make(results, against=""):
    """The whole page, as text."""
    by_suite = rows.of_results(results)
    looks = palette.looks([row["peer"] for suite_rows, _ in by_suite.values()
                           for row in suite_rows])
    facts = results["environment"]
    places = "".join(
        f'<a href="#suite-{escape(name)}">{escape(name)}</a>'
        for name in by_suite)
    targets = [(suite, target) for suite, (_, found) in by_suite.items()
               for target in found]
    style = (STYLE.read_text(encoding="utf-8") + palette.rules()
             + f":root{{{palette.css('light')}}}"
             "@media (prefers-color-scheme:dark){:root{"
             f"{palette.css('dark')}}}}}")
    quick = ["A quick run: one or few repetitions of each figure, an order of "
             "magnitude and not a verdict."] if results.get("quick") else []
    return "\n".join((
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        "<title>zcb: benchmarks</title>",
        f"<style>{style}</style></head><body><main>",
        "<h1>zcb: benchmarks</h1>",
        '<p class="facts">' + " · ".join(
            escape(facts[name]) for name in ("date", "revision", "cpu", "kernel")
            if name in facts) + "</p>",
        warnings(quick + list(results.get("warnings", []))),
        f"<p>{HOW_TO_READ}</p>",
        f'<nav aria-label="Contents">'
        + ('<a href="#targets">targets</a>' if targets else "")
        + places + '<a href="#environment">environment</a></nav>',
        summary(targets),
        *(suite_html(name, result, looks, against)
          for name, result in results["suites"].items()),
        environment_html(results),
        "</main></body></html>", ""))


def write(results, path, against=""):
    path = pathlib.Path(path)
    path.write_text(make(results, against), encoding="utf-8")
    return path
