import combatlearn
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sarcfeat.exceptions import (
    ConfoundedBatch,
    InvalidInput,
    NotConverged,
    OneBatch,
    SarcfeatWarning,
    UnknownName,
    UnseenBatch,
)
from sarcfeat.survival import make_y
from sarcfeat.transform import ComBat
from sarcfeat.transform import _empirical_bayes as empirical_bayes

FEATURES = [f"radiomics.t1.f{i}" for i in range(8)]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(10, 2, size=(60, 8)),
        columns=FEATURES,
        index=[f"p{i:02d}" for i in range(60)],
    )
    site = np.repeat(["Bordeaux", "Lyon", "Nantes"], [30, 20, 10])
    frame.loc[site == "Lyon"] += rng.normal(3, 1, size=8)
    frame.loc[site == "Nantes"] *= rng.uniform(1.5, 2.5, size=8)
    frame.insert(3, "site", site)
    frame["clinical.age"] = rng.integers(20, 80, size=60)
    frame["clinical.grade"] = rng.choice(["low", "high", "mid"], size=60)
    return frame


COVARIATES = ["clinical.age", "clinical.grade"]


@pytest.fixture
def plain(X):
    return X.drop(columns=COVARIATES)


@pytest.mark.filterwarnings("ignore:Only one feature:UserWarning")
@pytest.mark.parametrize("reference", [None, "Lyon"])
@pytest.mark.parametrize("preserve", [False, True])
def test_equals_combatlearn_feature_by_feature(X, reference, preserve):
    # With one feature there is no shrinking, in which combatlearn departs from sva (it
    # pools over batches where sva pools over features); the rest is the same model.
    train, new = X.iloc[::2], X.iloc[1::2]
    preserved = COVARIATES if preserve else []
    for name in FEATURES[:3]:
        ours = ComBat(covariates=preserved, reference=reference)
        ours.fit(train[[name, "site", *preserved]])
        theirs = combatlearn.ComBat(
            batch=X["site"],
            discrete_covariates=X[["clinical.grade"]] if preserve else None,
            continuous_covariates=X[["clinical.age"]] if preserve else None,
            method="fortin",
            reference_batch=reference,
        ).fit(train[[name]])
        for patients in (train, new):
            a = ours.transform(patients[[name, "site", *preserved]])[name]
            b = theirs.transform(patients[[name]])[name]
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_brings_the_sites_together(X, plain):
    before = plain.groupby("site")[FEATURES].agg(["mean", "std"])
    harmonised = ComBat().fit_transform(plain)
    after = harmonised.groupby(plain["site"]).agg(["mean", "std"])

    def spread(table, what):
        values = table.xs(what, axis=1, level=1)
        return (values.max() - values.min()).mean()

    assert spread(after, "mean") < 0.1 * spread(before, "mean")
    assert spread(after, "std") < 0.5 * spread(before, "std")
    assert list(harmonised.columns) == FEATURES
    assert harmonised.index.equals(X.index)


def test_each_patient_is_transformed_alone(plain):
    combat = ComBat().fit(plain.iloc[::2])
    together = combat.transform(plain)
    alone = pd.concat([combat.transform(plain.iloc[[i]]) for i in range(60)])
    pd.testing.assert_frame_equal(together, alone)


def test_learns_from_training_rows_only(plain):
    train = plain.iloc[::2].copy()
    before = ComBat().fit(train).transform(train)
    poisoned = plain.copy()
    poisoned.iloc[1::2, :3] = 1e6
    after = ComBat().fit(poisoned.iloc[::2]).transform(train)
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_covariates_keep_their_effect_and_pass_untouched(X):
    X[FEATURES[0]] += 0.3 * X["clinical.age"]
    harmonised = ComBat(covariates=COVARIATES).fit_transform(X)
    assert harmonised[COVARIATES].equals(X[COVARIATES])
    assert list(harmonised.columns) == [c for c in X if c != "site"]
    slope = np.polyfit(harmonised["clinical.age"], harmonised[FEATURES[0]], 1)[0]
    assert slope == pytest.approx(0.3, abs=0.1)


def test_covariate_errors(X):
    combat = ComBat(covariates=COVARIATES)
    with pytest.raises(UnknownName, match=r"No column 'clinical\.agee'"):
        ComBat(covariates=["clinical.agee"]).fit(X)
    holed = X.astype({"clinical.age": float})
    holed.iloc[4, holed.columns.get_loc("clinical.age")] = np.nan
    with pytest.raises(InvalidInput, match=r"1 patients have no clinical\.age: p04"):
        combat.fit(holed)
    new = X.copy()
    new.loc["p03", "clinical.grade"] = "unheard"
    with pytest.raises(InvalidInput, match=r"unheard \(patients p03\)\. Known: high"):
        combat.fit(X).transform(new)
    X["same"] = (X["site"] == "Lyon").astype(float)
    with pytest.raises(InvalidInput, match="cannot be told apart from the batches"):
        ComBat(covariates=["same"]).fit(X.drop(columns=COVARIATES))
    with pytest.raises(InvalidInput, match="are columns of a DataFrame"):
        combat.fit(X[FEATURES].to_numpy(), site=X["site"])


def test_reference_stays_as_it_is(plain):
    combat = ComBat(reference="Lyon").fit(plain)
    harmonised = combat.transform(plain)
    lyon = plain["site"] == "Lyon"
    pd.testing.assert_frame_equal(
        harmonised[lyon], plain.loc[lyon, FEATURES], check_exact=True
    )
    means = harmonised.groupby(plain["site"]).mean()
    assert (means - means.loc["Lyon"]).abs().to_numpy().max() < 1
    with pytest.raises(UnknownName, match=r"No batch 'Lion'\. Did you mean 'Lyon'"):
        ComBat(reference="Lion").fit(plain)


def test_fault_079_unseen_batch(plain):
    train = plain[plain["site"] != "Nantes"]
    unseen = plain[plain["site"] == "Nantes"]
    with pytest.raises(
        UnseenBatch, match=r"10 patients .* Nantes \(patients p50, .*Known: Bordeaux"
    ):
        ComBat().fit(train).transform(plain)
    with pytest.warns(SarcfeatWarning, match="leaves 10 patients of unseen batches"):
        skipped = ComBat(unseen="skip").fit(train).transform(plain)
    referred = ComBat(unseen="reference", reference="Lyon").fit(train).transform(plain)
    for done in (skipped, referred):
        pd.testing.assert_frame_equal(done.loc[unseen.index], unseen[FEATURES])
    assert not skipped.loc["p00"].equals(plain.loc["p00", FEATURES])


def test_fault_080_batch_of_one_patient(plain):
    plain.loc["p00", "site"] = "Nancy"
    with pytest.raises(InvalidInput, match=r"1 batches have one patient.*Nancy"):
        ComBat().fit(plain)
    with pytest.warns(SarcfeatWarning, match="shifts only: one patient in Nancy"):
        combat = ComBat(single="mean_only").fit(plain)
    assert combat.mean_only_
    assert (combat.delta_ == 1).all()
    harmonised = combat.transform(plain)
    assert np.isfinite(harmonised).all(axis=None)
    pd.testing.assert_frame_equal(
        harmonised, ComBat(mean_only=True).fit_transform(plain)
    )


def test_fault_081_one_batch_is_identity_and_warns(plain):
    plain["site"] = "Lyon"
    with pytest.warns(OneBatch, match="'Lyon'"):
        harmonised = ComBat().fit_transform(plain)
    pd.testing.assert_frame_equal(harmonised, plain[FEATURES], check_exact=True)


def test_fault_083_constant_within_a_batch_is_left_unchanged(plain):
    plain.loc[plain["site"] == "Lyon", FEATURES[2]] = 0.1
    combat = ComBat().fit(plain)
    harmonised = combat.transform(plain)
    assert combat.unadjusted_.values.tolist() == [
        [FEATURES[2], "constant within a batch"]
    ]
    assert harmonised[FEATURES[2]].equals(plain[FEATURES[2]])
    rest = plain.drop(columns=FEATURES[2])
    pd.testing.assert_frame_equal(
        harmonised.drop(columns=FEATURES[2]), ComBat().fit_transform(rest)
    )


def test_explained_by_a_covariate_is_left_unchanged(X):
    X[FEATURES[2]] = 3.0 * X["clinical.age"] + 1
    combat = ComBat(covariates=["clinical.age"]).fit(X.drop(columns="clinical.grade"))
    assert combat.unadjusted_.values.tolist() == [
        [FEATURES[2], "the covariates leave no variation"]
    ]
    assert np.isfinite(combat.gamma_).all()


def test_missing_values_stay_missing_and_touch_no_other_patient(plain):
    plain.iloc[4, 0] = np.nan
    plain.loc[plain["site"] == "Nantes", FEATURES[5]] = np.nan
    combat = ComBat().fit(plain)
    harmonised = combat.transform(plain)
    assert harmonised.isna().equals(plain[FEATURES].isna())
    assert combat.unadjusted_.values.tolist() == [[FEATURES[5], "missing in a batch"]]
    assert harmonised[FEATURES[5]].equals(plain[FEATURES[5]])


def test_batch_none_is_silent_identity_without_the_site(plain):
    harmonised = ComBat(batch=None).fit_transform(plain)
    pd.testing.assert_frame_equal(harmonised, plain[FEATURES], check_exact=True)
    values = plain[FEATURES].to_numpy()
    assert (ComBat(batch=None).fit_transform(values) == values).all()


def test_site_as_an_array(plain):
    by_column = ComBat().fit_transform(plain)
    by_array = ComBat().fit_transform(plain[FEATURES], site=plain["site"])
    pd.testing.assert_frame_equal(by_column, by_array)
    values = plain[FEATURES].to_numpy()
    plainly = (
        ComBat()
        .fit(values, site=list(plain["site"]))
        .transform(values, site=plain["site"].to_numpy())
    )
    np.testing.assert_array_equal(plainly, by_column)
    with pytest.raises(InvalidInput, match=r"site\.loc\[X\.index\]"):
        ComBat().fit(plain[FEATURES], site=plain["site"].iloc[::-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ComBat().fit(values, site=["A", "B"])


def test_numbers_may_name_the_batches(plain):
    by_name = ComBat(reference="Lyon").fit_transform(plain)
    numbered = plain.assign(
        site=plain["site"].map({"Bordeaux": 10, "Lyon": 2, "Nantes": 30})
    )
    pd.testing.assert_frame_equal(
        ComBat(reference=2).fit_transform(numbered), by_name, rtol=1e-10
    )


def test_batch_that_cannot_be_found(plain):
    with pytest.raises(InvalidInput, match="array without column names"):
        ComBat().fit(plain[FEATURES].to_numpy())
    with pytest.raises(UnknownName, match=r"'scaner'.*Did you mean 'scanner'"):
        ComBat("scaner").fit(plain.rename(columns={"site": "scanner"})[["scanner"]])
    plain.loc["p07", "site"] = None
    with pytest.raises(InvalidInput, match="1 patients have no site: p07"):
        ComBat().fit(plain)


def test_another_batch_column_still_drops_the_site(plain):
    plain["scanner"] = np.resize(["GE", "Siemens"], 60)
    combat = ComBat("scanner").fit(plain)
    assert combat.batches_ == ["GE", "Siemens"]
    assert list(combat.transform(plain).columns) == FEATURES
    assert combat.dropped_["feature"].tolist() == ["site", "scanner"]


def test_metadata_routing_inside_cross_validation(plain):
    y = plain[FEATURES].mean(axis=1).to_numpy()
    with sklearn.config_context(enable_metadata_routing=True):
        combat = ComBat().set_fit_request(site=True).set_transform_request(site=True)
        chain = make_pipeline(combat, StandardScaler(), Ridge())
        found = cross_validate(
            chain,
            plain[FEATURES],
            y,
            cv=3,
            params={"site": plain["site"].sample(frac=1, random_state=0).to_numpy()},
            error_score="raise",
        )
    assert np.isfinite(found["test_score"]).all()


def test_frame_without_features_passes(plain):
    harmonised = ComBat().fit_transform(plain[["site"]])
    assert harmonised.shape == (60, 0)
    assert harmonised.index.equals(plain.index)


@pytest.mark.parametrize("parametric", [True, False])
def test_one_feature_alone_is_not_shrunk(plain, parametric):
    one = plain[[FEATURES[0], "site"]]
    harmonised = ComBat(parametric=parametric).fit_transform(one)
    means = harmonised.groupby(one["site"])[FEATURES[0]].mean()
    assert means.max() - means.min() < 1e-10


def test_nonparametric_in_parts_equals_at_once(plain, monkeypatch):
    whole = ComBat(parametric=False).fit_transform(plain)
    monkeypatch.setattr(empirical_bayes, "CELLS", 20)
    parts = ComBat(parametric=False).fit_transform(plain)
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-12)


def test_a_fit_that_does_not_converge_says_so(plain, monkeypatch):
    monkeypatch.setattr(empirical_bayes, "MAX_ITERATIONS", 1)
    with pytest.warns(NotConverged, match="after 1 rounds"):
        ComBat().fit(plain)


def test_names_clone_and_caller_s_frame(plain):
    before = plain.copy()
    combat = clone(ComBat(reference="Lyon")).set_output(transform="pandas").fit(plain)
    assert list(combat.get_feature_names_out()) == FEATURES
    assert combat.n_patients_ == {"Bordeaux": 30, "Lyon": 20, "Nantes": 10}
    combat.transform(plain)
    pd.testing.assert_frame_equal(plain, before)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100))
def test_order_of_patients_and_unit_of_measurement_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(24, 4)) + np.repeat([0, 2], 12)[:, None]
    frame = pd.DataFrame(values, columns=list("abcd")).assign(
        site=np.repeat(["A", "B"], 12)
    )
    before = ComBat().fit_transform(frame)
    order = rng.permutation(24)
    changed = frame.iloc[order].copy()
    changed[list("abcd")] *= scale
    after = ComBat().fit_transform(changed).sort_index() / scale
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-8)


def test_an_unseen_batch_is_estimated_from_its_own_patients(plain):
    seen, new = plain[plain["site"] != "Nantes"], plain[plain["site"] == "Nantes"]
    combat = ComBat(unseen="estimate").fit(seen)
    model = {k: v.copy() for k, v in vars(combat).items() if isinstance(v, np.ndarray)}
    harmonised = combat.transform(plain)
    known = ComBat().fit(seen).transform(seen)
    pd.testing.assert_frame_equal(harmonised.loc[seen.index], known)
    near = known.agg(["mean", "std"])
    before = (new[FEATURES].agg(["mean", "std"]) - near).abs().mean(axis=1)
    after = (harmonised.loc[new.index].agg(["mean", "std"]) - near).abs().mean(axis=1)
    assert (after < before / 3).all()
    for name, values in model.items():  # nothing learnt stays behind
        np.testing.assert_array_equal(getattr(combat, name), values)


@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.OneBatch")
def test_estimate_equals_sva_with_the_training_batch_as_reference(plain):
    # One batch at the fit and one new: that is sva's ref.batch, whose pooled variance
    # and mean are those of the reference batch.
    two = plain[plain["site"] != "Nantes"]
    lyon = two["site"] == "Lyon"
    ours = ComBat(unseen="estimate").fit(two[lyon]).transform(two)
    theirs = ComBat(reference="Lyon").fit_transform(two)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9)
    pd.testing.assert_frame_equal(ours[lyon], two.loc[lyon, FEATURES], check_exact=True)


def test_fault_079_too_few_patients_to_estimate_a_batch_are_named(plain):
    seen, new = plain[plain["site"] != "Nantes"], plain[plain["site"] == "Nantes"]
    combat = ComBat(unseen="estimate").fit(seen)
    with pytest.raises(UnseenBatch, match=r"Nantes \(4 patients\).*10 .*p50, p51, p52"):
        combat.transform(new.iloc[:4])
    few = ComBat(unseen="estimate", min_estimate=3).fit(seen).transform(new.iloc[:4])
    assert np.isfinite(few.to_numpy()).all()


def test_estimate_with_constant_and_missing_features(plain):
    seen, new = (
        plain[plain["site"] != "Nantes"],
        plain[plain["site"] == "Nantes"].copy(),
    )
    new[FEATURES[0]] = 7.0
    new[FEATURES[1]] = np.nan
    out = ComBat(unseen="estimate").fit(seen).transform(new)
    assert out[FEATURES[0]].nunique() == 1
    assert out[FEATURES[1]].isna().all()
    assert np.isfinite(out[FEATURES[2:]].to_numpy()).all()


def test_fault_082_batch_confounded_with_outcome_warns_with_the_table(plain):
    event = np.where(plain["site"] == "Bordeaux", np.arange(60) % 10 > 0, False)
    y = make_y(event, np.arange(1, 61))
    with pytest.warns(
        ConfoundedBatch,
        match=r"Cramér's V 0.9.*Bordeaux: 3 with False, 27 with True; Lyon: 20 with",
    ):
        combat = ComBat().fit(plain, y)
    assert combat.confounding_.loc["Nantes"].tolist() == [10, 0]
    assert combat.confounding_.attrs["p"] < 1e-9
    classes = np.where(plain["site"] == "Lyon", "yes", "no")
    with pytest.warns(ConfoundedBatch, match="Lyon: 0 with no, 20 with yes"):
        ComBat().fit(plain, classes)


def test_an_outcome_that_is_spread_over_the_batches_is_silent(plain):
    assert ComBat().fit(plain, np.arange(60) % 2).confounding_.attrs["p"] > 0.5
    assert ComBat().fit(plain, np.linspace(0, 1, 60)).confounding_ is None
    assert ComBat().fit(plain).confounding_ is None
    # The outcome has no say in the numbers.
    a = ComBat().fit(plain, np.arange(60) % 2).transform(plain)
    pd.testing.assert_frame_equal(a, ComBat().fit(plain).transform(plain))


def test_fault_085_unseen_level_of_a_covariate_is_refused(X):
    combat = ComBat(covariates=["clinical.grade"])
    combat.fit(X.drop(columns="clinical.age"))
    later = X.drop(columns="clinical.age").assign(**{"clinical.grade": "undefined"})
    with pytest.raises(InvalidInput, match=r"clinical.grade has values .* undefined"):
        combat.transform(later)
