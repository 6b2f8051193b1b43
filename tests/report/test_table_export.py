import numpy as np
import pandas as pd
import pytest

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import FineGray, Logistic
from sarcfeat.evaluate import associations, cox_table, survival_table, table_one
from sarcfeat.exceptions import InvalidInput
from sarcfeat.report import to_frame, to_html, to_latex

HOSTILE = '<script>alert("x")</script> & \\input{/etc/passwd} $50_%^~#'


@pytest.fixture
def models():
    table = pd.DataFrame(
        {
            "model": ["clinical", HOSTILE],
            "c_index": [0.61849, np.nan],
            "ci_low": [0.5, np.nan],
            "ci_high": [0.701, np.nan],
            "n": [80, 81],
            "p": [0.0002, 0.04567],
        }
    )
    table.attrs["notes"] = ["4.2 events per variable", HOSTILE]
    return table


def test_numbers_are_printed_as_papers_do(models):
    first, second = to_frame(models).to_dict("records")
    assert first["c-index (95 % CI)"] == "0.62 (0.50 to 0.70)"
    assert first["p"] == "<0.001"
    assert first["n"] == "80"
    assert second["p"] == "0.046"
    assert second["c-index (95 % CI)"] == ""


def test_hostile_text_is_only_text(models):
    page = to_html(models, caption=HOSTILE)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3
    assert "4.2 events per variable" in page
    assert '<th scope="col">' in page
    tex = to_latex(models, caption=HOSTILE)
    assert "\\input" not in tex
    assert tex.count("\\textbackslash{}input\\{/etc/passwd\\}") == 3
    assert "\\$50\\_\\%\\textasciicircum{}\\textasciitilde{}\\#" in tex
    body = tex.split("\\hline")[2]
    assert body.count(r"\\") == 2


def test_every_result_with_a_table_goes_through_the_same_door():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"age": rng.normal(60, 9, 40), "grade": rng.choice(["I", "II"], 40)}
    )
    X[["b", "c"]] = rng.normal(size=(40, 2))
    y = make_y(rng.random(40) < 0.6, rng.exponential(900, 40) + 1)
    cox = cox_table(X, y, multivariable=list(X))
    found = [
        cox,
        table_one(X, by="grade"),
        survival_table(y, X["grade"], times=[365]),
        associations(X["age"], X[["b", "grade"]]),
    ]
    for one in found:
        text = to_frame(one)
        page, tex = to_html(one, notes=["mine"]), to_latex(one, notes=["mine"])
        assert page.count("<tr>") == len(text) + 1 + len(one.notes) + 1
        for note in one.notes:
            assert note.split()[0] in page
        assert "mine" in tex
    # Fewer than ten events per variable is said below the table itself.
    assert cox.events_per_variable < 10
    assert f"{cox.events_per_variable:.1f} events per variable" in to_html(cox)
    assert "fewer than 10" in to_latex(cox)
    for model in (CoxPH(), FineGray(), Logistic()):
        target = y["event"] if isinstance(model, Logistic) else y
        fitted = model.fit(X[["age", "b", "c"]], target)
        per_variable = f"{fitted.events_per_variable_:.1f} events per variable"
        assert (per_variable in to_html(fitted.summary_)) == (
            fitted.events_per_variable_ < 10
        )


def test_an_index_of_names_comes_first_and_prefixed_intervals_are_merged():
    table = pd.DataFrame(
        {"multi_hr": [2.0], "multi_ci_low": [1.0], "multi_ci_high": [np.inf]},
        index=pd.Index(["size"], name="feature"),
    )
    row = to_frame(table).iloc[0].to_dict()
    assert row == {"feature": "size", "multi HR (95 % CI)": "2.00 (1.00 to infinite)"}


def test_what_is_no_table_is_refused():
    with pytest.raises(InvalidInput, match="got list"):
        to_html([1, 2])
