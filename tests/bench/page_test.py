"""The report: which plots a question gets, and that the page is whole."""

import html.parser
import re
import unittest
import xml.etree.ElementTree as ElementTree

import made_up
from report import page, palette, rows, sections, svg, units

SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
PREFIX = "{http://www.w3.org/2000/svg}"


def plots(text):
    return [ElementTree.fromstring(words) for words in SVG.findall(text)]


class Tags(html.parser.HTMLParser):
    """Complains of what is not closed in order."""

    VOID = {"meta", "link", "br", "img"}

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> in {self.open}")


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.results = made_up.whole_run()
        cls.text = page.make(cls.results)

    def test_every_tag_is_closed(self):
        self.assertEqual(Tags(self.text).open, [])

    def test_every_plot_has_a_title_a_description_and_data(self):
        found = plots(self.text)
        self.assertGreater(len(found), 30)
        for plot in found:
            self.assertTrue(plot.find(PREFIX + "title").text)
            self.assertTrue(plot.find(PREFIX + "desc").text)
            self.assertTrue([e for e in plot.iter() if e.get("data-peer")])

    def test_ids_are_unique(self):
        identities = re.findall(r'\bid="([^"]*)"', self.text)
        self.assertEqual(len(identities), len(set(identities)))

    def test_nothing_is_loaded_and_no_script_runs(self):
        self.assertNotRegex(self.text, r"<script|\bsrc=|@import|url\(")
        self.assertNotRegex(self.text.replace(
            'xmlns="http://www.w3.org/2000/svg"', ""), "https?://")
        self.assertIn("default-src 'none'", self.text)

    def test_what_a_machine_says_of_itself_is_escaped(self):
        self.assertIn("none &lt;at&gt; all &amp; more", self.text)

    def test_warnings_and_skipped_peers_are_told(self):
        self.assertIn("too noisy to believe", self.text)
        self.assertIn("nng: not installed", self.text)

    def test_targets_that_are_not_met_come_first(self):
        verdicts = re.findall(r'<td class="(met|missed|unknown)">', self.text)
        self.assertEqual(verdicts[0], "missed")
        self.assertEqual(sorted(verdicts), ["met", "missed", "unknown"])

    def test_a_table_holds_the_figures_of_every_row(self):
        for suite_rows, _ in rows.of_results(self.results).values():
            for row in suite_rows:
                figure = next(iter(row["figures"]))
                self.assertIn(page.figure_text(row, figure), self.text)

    def test_a_dropped_repetition_is_nowhere(self):
        results = made_up.results(
            *(made_up.row(peer, [100, 101, 31415926], length_bytes=size)
              for peer in ("zcb", "other") for size in (64, 128)))
        for row in results["suites"]["latency"]["rows"]:
            row["repetitions"][2]["kept"] = False
        text = page.make(results)
        self.assertNotIn("31.4", text)
        self.assertIn("2 of 3", text)

    def test_a_row_without_any_kept_repetition_is_no_point(self):
        results = made_up.results(
            *(made_up.row(peer, [100], length_bytes=size)
              for peer in ("zcb", "other") for size in (64, 128)))
        results["suites"]["latency"]["rows"][3]["repetitions"][0]["kept"] = False
        self.assertTrue(plots(page.make(results)))

    def test_bars_compare_with_whom_they_are_told_to(self):
        self.assertIn("p50 / that of zcb_native", self.text)
        self.assertIn("p50 / that of iceoryx",
                      page.make(self.results, "iceoryx"))

    def test_an_axis_may_begin_at_nought(self):
        text = page.make(made_up.results(
            *(made_up.row("zcb", [10.0 + touched] * 5, touched_mib=touched,
                          question="recovery")
              for touched in (0, 64, 1024))))
        self.assertNotIn("nan", text.lower().replace("nanosecond", ""))
        self.assertTrue(plots(text))

    def test_a_suite_without_rows_says_so(self):
        text = page.make({"environment": {},
                          "suites": {"kills": {"rows": []}}})
        self.assertIn("gave no rows", text)


class FacetTest(unittest.TestCase):
    def facets(self, *parameters):
        return sections.facets_of("one_way", [
            made_up.row(f"peer{i}", [100], **one)
            for i, one in enumerate(parameters)])

    def test_lines_run_over_the_size_and_all_else_makes_facets(self):
        found = self.facets(*({"length_bytes": size, "touched": touched}
                              for size in (64, 4096)
                              for touched in (True, False)))
        self.assertEqual([(one.parameters, one.quantity) for one in found],
                         [({"touched": True}, "length_bytes"),
                          ({"touched": False}, "length_bytes")])

    def test_a_single_size_is_no_axis(self):
        found = self.facets({"length_bytes": 64, "receivers": 1},
                            {"length_bytes": 64, "receivers": 4})
        self.assertEqual([(one.parameters, one.quantity) for one in found],
                         [({"length_bytes": 64}, "receivers")])

    def test_a_second_quantity_shows_what_the_first_did_not(self):
        members, region = self.facets(
            *({"region_mib": 1024, "members": n} for n in (1, 16, 64)),
            *({"region_mib": n, "members": 1} for n in (64, 4096)))
        self.assertEqual((members.quantity, members.places()),
                         ("members", [1, 16, 64]))
        self.assertEqual((region.quantity, region.places()),
                         ("region_mib", [64, 1024, 4096]))
        self.assertTrue(region.curves_only)

    def test_a_whole_grid_is_shown_once(self):
        found = self.facets(*({"length_bytes": size, "receivers": n}
                              for size in (64, 128) for n in (1, 2)))
        self.assertEqual({one.quantity for one in found}, {"length_bytes"})

    def test_what_stands_alone_is_a_single_figure(self):
        line, single = self.facets(
            {"length_bytes": 64, "wait": "busy"},
            {"length_bytes": 128, "wait": "busy"},
            {"length_bytes": 64, "wait": "sleep"})
        self.assertEqual(single.quantity, "")
        self.assertEqual(single.title, "64 B, asleep")

    def test_a_floor_is_in_every_facet_that_it_fits(self):
        rows_of_all = [made_up.row("zcb", [1], length_bytes=size, wait=wait)
                       for size in (1, 2) for wait in ("busy", "sleep")]
        floor = made_up.row("floor_futex", [1], wait="sleep")
        busy, asleep = sections.facets_of("one_way", [*rows_of_all, floor])
        self.assertNotIn("floor_futex", busy.peers())
        self.assertIn("floor_futex", asleep.peers())
        self.assertIs(asleep.find("floor_futex", 2), floor)

    def test_many_single_figures_are_read_side_by_side(self):
        found = self.facets(*({"call": f"call {i}"} for i in range(9)))
        self.assertTrue(all(one.is_one_of_many for one in found))

    def test_of_percentiles_of_one_thing_only_the_least_is_drawn_over_sizes(self):
        row = made_up.row("zcb", [1])
        row["figures"] = dict.fromkeys(
            ("send_p90_ns", "send_p50_ns", "p99_ns", "p50_ns", "rate_per_s"),
            "lower")
        (facet,) = sections.facets_of("one_way", [row])
        self.assertEqual(sections.figures_of(facet),
                         (["p50_ns", "p99_ns"], ["send_p50_ns", "rate_per_s"]))


class SvgTest(unittest.TestCase):
    def test_a_log_scale_maps_factors_to_distances(self):
        scale = svg.Log(1, 100, 0, 200)
        self.assertAlmostEqual(scale.at(10), 100)
        self.assertEqual([round(tick, 6) for tick in scale.ticks()[0]],
                         [1, 10, 100])

    def test_a_narrow_log_scale_has_ticks_all_the_same(self):
        for low, high in ((3, 7), (31, 33), (0.02, 0.09), (1, 12), (99, 101)):
            labelled, _ = svg.Log(low, high, 0, 1).ticks()
            self.assertGreaterEqual(len(labelled), 2, (low, high))
            self.assertTrue(all(low <= tick <= high * 1.001
                                for tick in labelled), (low, high, labelled))

    def test_labels_keep_their_distance_and_their_order(self):
        wanted = [50, 52, 10, 51, 99]
        places = svg.spread_labels(wanted, 10, 0, 100)
        ordered = [place for _, place in sorted(zip(wanted, places))]
        self.assertTrue(all(b - a >= 10 - 1e-9
                            for a, b in zip(ordered, ordered[1:])), ordered)
        self.assertLessEqual(max(places), 100)

    def test_words_are_escaped(self):
        self.assertEqual(svg.text(0, 0, "<&>"),
                         '<text x="0" y="0">&lt;&amp;&gt;</text>')


class PaletteTest(unittest.TestCase):
    def test_colours_differ_in_lightness_and_from_the_paper(self):
        for theme in palette.THEMES:
            paper = palette.BACKGROUNDS[theme]
            self.assertIn(paper, page.STYLE.read_text())
            for kind in ("ours", "other"):
                found = [palette.colours(theme)[f"{kind}{i}"]
                         for i in range(palette.COLOURS)]
                for colour in found:
                    self.assertGreaterEqual(palette.contrast(colour, paper), 3,
                                            (theme, colour))
                steps = sorted(map(palette.luminance, found))
                for low, high in zip(steps, steps[1:]):
                    self.assertGreater((high + 0.05) / (low + 0.05), 1.05)

    def test_no_two_peers_look_alike(self):
        peers = [f"peer{i}" for i in range(16)] + ["zcb", "zcb_c", "floor_a"]
        looks = palette.looks(peers)
        self.assertEqual(len(set(looks.values())), len(peers))

    def test_a_known_colour_is_right(self):
        self.assertEqual(palette.hex_of(0.6279553606, 0.2576833077,
                                        29.2338851923), "#ff0000")


class UnitsTest(unittest.TestCase):
    def test_names_say_what_a_figure_is(self):
        self.assertEqual(list(map(units.name, (
            "p50_ns", "p99_9_ns", "p999_ns", "max_us", "messages_per_s",
            "resident_bytes", "send_p50_ns"))),
            ["p50", "p99.9", "p99.9", "max", "messages/s", "resident",
             "send p50"])

    def test_values_have_their_unit(self):
        self.assertEqual(units.text("p50_ns", 45.66), "45.7 ns")
        self.assertEqual(units.text("last_us", 12), "12.0 us")
        self.assertEqual(units.text("messages_per_s", 2.5e6), "2.50 M/s")
        self.assertEqual(units.text("resident_bytes", 3 << 20), "3 MiB")
        self.assertEqual(units.tick_text("p50_ns", 1000), "1 us")
