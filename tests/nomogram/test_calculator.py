import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest

from sarcfeat.exceptions import OutsideRange, UnknownName
from sarcfeat.nomogram import Nomogram, Variable

NASTY = "</script><img src=x onerror=alert(1)> & \"co\" 'x'"

NOMOGRAM = Nomogram(
    variables=[
        Variable.numeric(
            "age", 0.0213, low=18, high=88, label="Age", unit="years", start=61
        ),
        Variable.coded("grade3", 0.61, levels=(0, 1), label=NASTY),
        Variable.categories("tissue", {"lipo": 0.0, "LMS": 0.33, "UPS <x>": 0.9}),
        Variable.numeric("rad_score", -1.07, low=-1.4, high=1.9, start=0.237),
    ],
    center=0.987,
    times=[365, 1826],
    baseline_survival=[0.83, 0.512],
    max_time=1500,
    event="metastasis",
    beyond="flag",
)


class Page(HTMLParser):
    """The elements of a page, and the text of those with an id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self._open = attrs.get("id")

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
    controls = [a["id"] for tag, a in page.tags if tag in {"input", "select"}]
    labelled = [a["for"] for tag, a in page.tags if tag == "label"]
    assert controls == labelled == ["v0", "v1", "v2", "v3"]
    age = next(a for _, a in page.tags if a.get("id") == "v0")
    assert (age["min"], age["max"], age["value"]) == ("15", "90", "61")
    assert "15 to 90 years" in page.text["h0"]
    live = next(a for _, a in page.tags if a.get("id") == "result")
    assert live["aria-live"] == "polite"


def test_the_page_carries_the_whole_nomogram(html):
    found = re.search(r'id="numbers">(.*?)</script>', html, re.S)
    document = json.loads(found.group(1))["document"]
    back = Nomogram.from_json(
        json.dumps({**document, "schema": "sarcfeat.nomogram", "schema_version": 1})
    )
    assert back == NOMOGRAM


def test_a_horizon_beyond_the_follow_up_says_so(html):
    assert html.count("beyond the follow-up of 1500 days: extrapolated") == 1


def test_an_unknown_start_value_is_refused(tmp_path):
    with pytest.raises(UnknownName, match=r"No variable 'agee'.*'age'"):
        NOMOGRAM.to_html(tmp_path / "c.html", values={"agee": 3})


@pytest.mark.browser
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"age": 33.5, "grade3": 1.0, "tissue": "UPS <x>", "rad_score": -1.2},
        {"age": 99.0, "grade3": 0.0, "tissue": "LMS", "rad_score": 1.9},
    ],
)
def test_the_browser_shows_what_python_predicts(tmp_path, values):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed, so the page was not opened")
    page = _opened(chromium, NOMOGRAM.to_html(tmp_path / "c.html", values=values))
    start = {variable.name: variable.start for variable in NOMOGRAM.variables}
    X = pd.DataFrame([{**start, **values}])
    if values.get("age", 0) > 90:
        with pytest.warns(OutsideRange, match="age"):
            points, risk = NOMOGRAM.points(X)[0], NOMOGRAM.predict(X).iloc[0]
        assert "Age lies outside the patients of this model (15 to 90)" in page["note"]
    else:
        points, risk = NOMOGRAM.points(X)[0], NOMOGRAM.predict(X).iloc[0]
        assert not page.get("note")
    assert page["total"] == f"{points:.1f}"
    assert page["r0"] == f"{100 * risk[365]:.1f} %"
    assert page["r1"] == f"{100 * risk[1826]:.1f} %"


def _opened(chromium, file):
    """Return the text of each element with an id, after the page's script ran."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [
            chromium,
            *flags,
            "--virtual-time-budget=3000",
            f"--user-data-dir={file.parent / 'profile'}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Page(done.stdout).text
