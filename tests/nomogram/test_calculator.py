import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import OutsideRange, UnknownName
from sarcfeat.nomogram import Nomogram, Uncertainty, Variable
from tests.browser import opened

NASTY = "</script><img src=x onerror=alert(1)> & \"co\" 'x'"

VARIABLES = [
    Variable.numeric(
        "age", 0.0213, low=18, high=88, label="Age", unit="years", start=61
    ),
    Variable.coded("grade3", 0.61, levels=(0, 1), label=NASTY),
    Variable.categories("tissue", {"lipo": 0.0, "LMS": 0.33, "UPS <x>": 0.9}),
    Variable.numeric("rad_score", -1.07, low=-1.4, high=1.9, start=0.237),
    Variable.spline(
        "size", [-0.11, 0.52, -0.8], [2.0, 5.5, 9.25, 20.0], low=1, high=31, unit="cm"
    ),
]
# Columns: age, grade3, three tissues (the first is the reference), score, the spline.
SPREAD = np.diag([1e-5, 0.02, 0.0, 0.03, 0.05, 0.01, 4e-4, 3e-3, 9e-3])
SPREAD[0, 3] = SPREAD[3, 0] = -2e-4
SPREAD[7, 8] = SPREAD[8, 7] = 4e-3
MIDDLE = np.array([60.1, 0.4, 0.0, 0.3, 0.2, 0.11, 8.3, 1.2, 0.4])
NOMOGRAM = Nomogram(
    variables=VARIABLES,
    center=0.987,
    times=[365, 1826],
    baseline_survival=[0.83, 0.512],
    max_time=1500,
    event="metastasis",
    beyond="flag",
    uncertainty=Uncertainty(SPREAD, [MIDDLE, MIDDLE * 1.01], [0.02, 0.03]),
    note="Sarculator (refit)",
)
LOGISTIC = Nomogram(
    variables=VARIABLES,
    center=2.2,
    kind="logistic",
    uncertainty=Uncertainty(SPREAD, [MIDDLE], [0.02]),
)


class Page(HTMLParser):
    """The elements of a page, and the text and value of those with an id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.value, self._open = [], {}, {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self._open = attrs.get("id")
        if tag == "data":
            self.value[self._open] = attrs.get("value")

    def handle_data(self, data):
        if self._open:
            self.text[self._open] = self.text.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = None


@pytest.fixture
def html(tmp_path):
    return NOMOGRAM.to_html(tmp_path / "c.html", title=NASTY).read_text("utf-8")


def test_fault_109_everything_is_escaped_and_nothing_is_loaded(html):
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag in {"img", "link", "iframe"}]
    assert not [a for _, a in page.tags if "src" in a or "href" in a]
    assert "http" not in html.replace("http-equiv", "")
    assert "<img" not in html
    policy = [a["content"] for t, a in page.tags if t == "meta" and "content" in a]
    assert any("default-src 'none'" in content for content in policy)


def test_every_control_is_labelled_and_bounded(html):
    page = Page(html)
    controls = [a for tag, a in page.tags if tag in {"input", "select"}]
    labelled = [a["for"] for tag, a in page.tags if tag == "label"]
    assert labelled == ["v0", "v1", "v2", "v3", "v4"]
    named = [a["id"] for a in controls if "aria-label" not in a]
    assert named == labelled
    sliders = {a["id"]: a for a in controls if a.get("type") == "range"}
    assert list(sliders) == ["s0", "s3", "s4"]
    assert sliders["s0"]["aria-label"] == "Age (years), slider"
    assert (sliders["s4"]["min"], sliders["s4"]["max"]) == ("1", "31")
    age = next(a for _, a in page.tags if a.get("id") == "v0")
    assert (age["min"], age["max"], age["value"]) == ("18", "88", "61")
    assert "18 to 88 years" in page.text["h0"]
    live = next(a for _, a in page.tags if a.get("id") == "result")
    assert live["aria-live"] == "polite"


def test_measured_values_are_shown_with_few_digits_within_their_range(tmp_path):
    age = Variable.numeric("age", 0.02, low=20.37859868, high=84.74917735, start=53.24)
    tiny = Variable.numeric("tiny", 1e8, low=1.23456e-9, high=9.87654e-9)
    plain = Nomogram(
        variables=[age, tiny], center=1.0, times=[365], baseline_survival=[0.8]
    )
    page = Page(plain.to_html(tmp_path / "c.html").read_text("utf-8"))
    assert page.text["h0"] == "20.38 to 84.74"
    sliders = [a for _, a in page.tags if a.get("type") == "range"]
    assert [(a["min"], a["max"]) for a in sliders] == [
        ("20.38", "84.74"),
        ("1.235e-09", "9.876e-09"),
    ]


def test_the_page_carries_the_whole_nomogram(html):
    found = re.search(r'id="numbers">(.*?)</script>', html, re.S)
    document = json.loads(found.group(1))["document"]
    back = Nomogram.from_json(
        json.dumps({**document, "schema": "sarcfeat.nomogram", "schema_version": 2})
    )
    assert back == NOMOGRAM


def test_the_page_says_what_the_nomogram_is(html):
    assert Page(html).text["about"] == "Sarculator (refit)"
    assert html.count("95 % interval") == 2


def test_a_horizon_beyond_the_follow_up_says_so(html):
    assert html.count("beyond the follow-up of 1500 days: extrapolated") == 1


def test_an_unknown_start_value_is_refused(tmp_path):
    with pytest.raises(UnknownName, match=r"No variable 'agee'.*'age'"):
        NOMOGRAM.to_html(tmp_path / "c.html", values={"agee": 3})


def agrees(page, nomogram, X):
    """Compare the page's exact values with `predict`, interval and all."""
    risks = nomogram.predict(X, interval=True)
    for t, (_, row) in enumerate(risks.iterrows()):
        for name, column in zip("rlu", risks.columns, strict=True):
            shown = page.text[f"{name}{t}"]
            assert float(page.value[f"{name}{t}"]) == pytest.approx(
                row[column], rel=1e-9, abs=1e-12
            )
            assert shown == f"{100 * row[column]:.1f} %"
    total = nomogram.points(X).iloc[0]
    assert float(page.value["total"]) == pytest.approx(total, rel=1e-9, abs=1e-9)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("nomogram", "values"),
    [
        (NOMOGRAM, {"age": 33.5, "tissue": "UPS <x>", "rad_score": -1.2, "size": 7.3}),
        (NOMOGRAM, {"age": 99.0, "tissue": "LMS", "rad_score": 1.9, "size": 28.0}),
        (LOGISTIC, {"grade3": 1.0, "size": 12.25}),
    ],
    ids=["inside", "outside", "logistic"],
)
def test_the_browser_shows_what_python_predicts(tmp_path, nomogram, values):
    page = Page(opened(nomogram.to_html(tmp_path / "c.html", values=values)).stdout)
    start = {variable.name: variable.start for variable in nomogram.variables}
    X = pd.DataFrame([{**start, **values}])
    if values.get("age", 0) > 90:
        with pytest.warns(OutsideRange, match="age"):
            agrees(page, nomogram, X)
        note = page.text["note"]
        assert "Age lies outside the patients of this model (18 to 88)" in note
    else:
        agrees(page, nomogram, X)
        assert not page.text.get("note")


@pytest.mark.browser
def test_a_slider_moves_its_number_by_keyboard_and_by_hand(tmp_path):
    file = NOMOGRAM.to_html(tmp_path / "c.html")
    press = """<script>
    const key = new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true});
    document.getElementById("s0").dispatchEvent(key);
    const slider = document.getElementById("s4");
    slider.value = 17.5;
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    const score = document.getElementById("s3");
    score.value = 99;
    score.dispatchEvent(new Event("input", {bubbles: true}));
    for (const id of ["v0", "v3", "v4"]) {
      const number = document.getElementById(id);
      number.setAttribute("value", number.value);
    }
    </script></body>"""
    file.write_text(file.read_text("utf-8").replace("</body>", press), "utf-8")
    page = Page(opened(file).stdout)
    typed = {a["id"]: a["value"] for _, a in page.tags if a.get("type") == "number"}
    assert (typed["v0"], typed["v3"], typed["v4"]) == ("62", "1.9", "17.5")
    assert not page.text.get("note")
    start = {variable.name: variable.start for variable in NOMOGRAM.variables}
    agrees(
        page,
        NOMOGRAM,
        pd.DataFrame([{**start, "age": 62.0, "rad_score": 1.9, "size": 17.5}]),
    )
