"""The report: one file that is safe, whole, readable and honest whatever the names are."""

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from fewbits.errors import InputError, StorageError
from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.charts import recall_chart
from fewbits.evaluate.report import report_html, write_report
from fewbits.evaluate.results import Baseline, Found, Lost, Results, Row
from fewbits.evaluate.stylesheet import STYLE
from fewbits.evaluate.wording import amount, highlights, missing_target, percent, signed, times

EVIL = '<script>alert("x")</script>&\'"><img src=x onerror=alert(1)>\x00\ud800'
VOID = {"meta"}
TIMES = "\N{MULTIPLICATION SIGN}"


def near(value, width=0.01):
    return Interval(value, max(0.0, value - width), min(1.0, value + width))


def found(recall, change, *, judged):
    return Found(
        recall=near(recall),
        ndcg=near(0.6 + change) if judged else None,
        ndcg_change=Interval(change, change - 0.01, change + 0.01) if judged else None,
        ms_per_query=0.35,
        queries_per_second=12_345.6,
    )


def row(label, size, recall, rescored, *, judged=True, worst=()):
    return Row(
        label=label,
        name=label,
        params={},
        bytes_per_vector=size,
        rescore_bytes_per_vector=768.0 if rescored else 0.0,
        ratio=1536 / size,
        encode_vectors_per_second=1e6,
        encode_mb_per_second=1536.0,
        plain=found(recall, recall - 1, judged=judged),
        rescored=found(rescored, 0.0, judged=judged) if rescored else None,
        worst=list(worst),
    )


def results(rows=None, *, name="My vectors", judged=True, skipped=None):
    ndcg = (0.1, 0.9) if judged else (None, None)
    lost = Lost("q1", 0.5, *ndcg, exact=["d1", "d2"], found=["d2", "d9"])
    rows = rows or [
        row("int8", 384.0, 0.991, 1.0, judged=judged),
        row("binary", 48.0, 0.712, 0.961, judged=judged, worst=[lost]),
        row("float16", 768.0, 1.0, 1.0, judged=judged),
    ]
    machine = {
        "cpu": "Some CPU",
        "cores": 2,
        "simd_level": "avx2",
        "system": "Linux x86_64",
        "python": "3.11",
        "numpy": "2.4",
        "fewbits": "0.1.0",
    }
    meta = {
        "name": name,
        "skipped": skipped or {},
        "n": 5000,
        "d": 384,
        "queries": 300,
        "judged_queries": 300 if judged else 0,
        "metric": "cosine",
        "k": 10,
        "rescore": "float16",
        "oversample": 4,
        "threads": None,
        "seed": 0,
        "calibration_rows": 5000,
        "created": "2026-01-01 00:00 UTC",
        "machine": machine,
    }
    return Results(rows, Baseline(1536.0, near(0.6) if judged else None), meta)


class Strict(HTMLParser):
    """Collects tags and text; complains about what is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def as_xml(page):
    """Parse the page as XML too: nothing but the void elements differs."""
    body = re.sub(r"<meta ([^>]*)>", r"<meta \1/>", page.removeprefix("<!DOCTYPE html>"))
    return ElementTree.fromstring(body)


VARIANTS = {
    "judged": results(),
    "not judged": results(judged=False),
    "not rescored": results([row("int8", 384.0, 0.9, None), row("b", 48.0, 0.7, None)]),
    "one row": results([row("int8", 384.0, 0.9, 0.95)]),
    "nothing smaller": results([row("float32", 1536.0, 1.0, 1.0)]),
    "skipped": results(skipped={"picky": "it needs more rows"}),
    "evil": results([row(EVIL, 384.0, 0.9, 0.95)], name=EVIL, skipped={EVIL: EVIL}),
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_page_parses_has_a_picture_and_reaches_for_nothing(variant):
    page = report_html(variant)
    parsed = Strict(page)
    as_xml(page)
    assert parsed.tags.count("svg") >= 2
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"} & {
        *parsed.tags
    }
    for tag, key, value in parsed.attributes:
        assert not key.startswith("on"), (tag, key)
        assert key not in {"href", "src", "action", "style", "xlink:href"}, (tag, key)
        assert "//" not in value, (tag, key, value)
    assert not re.search(r"https?:|url\(|@import|javascript:", page)
    assert "nan" not in parsed.words.lower()
    assert "None" not in parsed.words


def test_names_and_texts_are_escaped_everywhere():
    lost = Lost(EVIL, 0.5, None, None, exact=[EVIL], found=[EVIL + "2"])
    page = report_html(
        results([row(EVIL, 48.0, 0.7, 0.9, worst=[lost])], name=EVIL, skipped={EVIL: EVIL}),
        queries={EVIL: EVIL},
        docs={EVIL: EVIL, EVIL + "2": EVIL},
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "\x00" not in page
    page.encode()  # a lone surrogate would raise
    assert Strict(page).words.count('<script>alert("x")</script>') >= 6


def test_the_policy_forbids_scripts_and_network():
    policies = [
        value
        for tag, key, value in Strict(report_html(results())).attributes
        if tag == "meta" and key == "content" and "default-src" in value
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_findings_are_said_in_plain_words():
    words = Strict(report_html(results())).words.replace("\u202f", " ")
    assert f"32{TIMES} smaller" in words
    assert "binary keeps 71.2 % of the 10 nearest neighbours" in words
    assert "768 bytes per vector, 96.1 %" in words
    assert "int8 keeps 99.1 %" in words
    assert "5,000 vectors of 384 dimensions, 300 queries" in words
    assert "Some CPU, 2 cores, SIMD avx2" in words
    assert "fewbits 0.1.0, Python 3.11, NumPy 2.4" in words


def test_lost_neighbours_are_shown_beside_what_came_instead():
    page = report_html(results(), queries={"q1": "why is it so"}, docs={"d1": "the sky " * 50})
    words = Strict(page).words
    assert "q1: why is it so" in words
    assert re.search(r"float32 found\s*d1 · the sky .*… lost", words)
    assert "d9 instead" in words
    assert "No query lost a neighbour with int8, float16." in words


def test_without_judgements_nothing_is_said_of_ndcg_values():
    words = Strict(report_html(results(judged=False))).words
    assert "nDCG" not in words


def test_a_quantizer_left_out_is_named_with_its_reason():
    words = Strict(report_html(results(skipped={"picky": "it needs more rows"}))).words
    assert "Left out: picky, because it needs more rows" in words


def test_tables_and_pictures_are_named_for_those_who_cannot_see_them():
    page = as_xml(report_html(results()))
    heads = page.findall(".//th")
    assert heads
    assert {head.get("scope") for head in heads} == {"col", "row"}
    for table in page.iter("table"):
        width = len(table.findall("thead/tr/th"))
        assert {len(list(line)) for line in table.findall("tbody/tr")} == {width}
    ids = [node.get("id") for node in page.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    pictures = [svg for svg in page.iter("svg") if svg.get("role") == "img"]
    assert len(pictures) == 2
    for svg in pictures:
        for name in svg.get("aria-labelledby").split():
            assert (svg.find(f"*[@id='{name}']").text or "").strip()
        assert "binary: 48 bytes, 71.2" in svg.find("desc").text
    assert page.get("lang") == "en"
    assert page.find("head/title").text


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "plain", "rescored", "bad"])
@pytest.mark.parametrize("ground", ["page", "card"])
def test_every_colour_of_text_has_sufficient_contrast(scheme, ink, ground):
    colours = dict(
        re.findall(r"--(\w+): (#\w{6})", re.findall(r":root \{(.*?)\}", STYLE, re.S)[scheme])
    )
    light, dark = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, level AA


def test_points_stand_at_their_size_and_recall():
    rows = [row("a", 64.0, 0.6, None), row("b", 128.0, 0.8, None), row("c", 256.0, 1.0, None)]
    svg = recall_chart(results(rows))
    marks = [node for node in svg.iter("circle")]
    xs = [float(mark.get("cx")) for mark in marks]
    ys = [float(mark.get("cy")) for mark in marks]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.11)  # a log scale
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.11)
    assert ys[0] > ys[2]


def test_a_results_object_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one row"):
        write_report(dataclasses.replace(results(), rows=[]), tmp_path / "r.html")


def test_the_file_is_replaced_whole_and_the_same_results_give_the_same_bytes(tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")
    write_report(results(), path)
    first = path.read_bytes()
    write_report(results(), path, title="other")
    assert b"other" in path.read_bytes()
    write_report(results(), path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*r\.html"):
        write_report(results(), tmp_path / "no" / "r.html")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (percent(1), "100 %"),
        (percent(0.9999), "99.9 %"),  # never 100 % unless it is all
        (percent(0.712), "71.2 %"),
        (percent(0.29), "29.0 %"),
        (times(32), f"32{TIMES}"),
        (times(3.96), f"4.0{TIMES}"),
        (amount(1536), "1,536"),
        (amount(50.25), "50.2"),
        (amount(0.0347), "0.035"),
        (signed(-0.0234), "\N{MINUS SIGN}0.023"),
        (signed(0.0001), "0.000"),
        (signed(0.5), "+0.500"),
    ],
)
def test_numbers_read_well(call, expected):
    assert call.replace("\u202f", " ") == expected


def test_the_highlights_are_the_smallest_that_reach_each_target():
    rows = [
        row("big", 768.0, 1.0, None),
        row("good", 384.0, 0.992, None),
        row("fair", 192.0, 0.96, None),
        row("tiny", 48.0, 0.5, None),
        row("float32", 1536.0, 1.0, None),
    ]
    assert [found.label for _, found in highlights(results(rows))] == ["good", "fair", "tiny"]
    assert missing_target(results(rows)) is None
    poor = results([row("tiny", 48.0, 0.5, None)])
    assert "the best, tiny, keeps 50.0" in missing_target(poor)
