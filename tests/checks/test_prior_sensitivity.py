"""Prior sensitivity: other specifications by name, a curve, and power-scaling."""

import numpy as np
import xarray as xr
from planted import changed, hidden, least_squares

import bayes_synth as bs
from bayes_synth.api import Fit
from bayes_synth.checks import prior_sensitivity
from bayes_synth.checks.refits import posterior_sd
from bayes_synth.noise import IID
from bayes_synth.testing import fake_fit, fake_panel


def specified(fit, **options):
    return prior_sensitivity(fit, refit=least_squares, **options)


def sensitive(fit, strength):
    """The fit with an average counterfactual that follows the noise's prior density."""
    prior = fit.idata["log_prior"]["q"]
    tree = fit.idata.to_dict()
    for group in ("predictions", "predictions_uncalibrated"):
        if f"/{group}" in tree:
            standard = (prior - prior.mean()) / prior.std()
            tree[f"/{group}"] = tree[f"/{group}"] + strength * standard
    return Fit(fit.panel, fit.model, xr.DataTree.from_dict(tree))


def test_a_clean_design_passes():
    assert specified(fake_fit(panel=fake_panel(pre=40))).verdict == "pass"


def test_an_effect_that_depends_on_where_the_pre_period_begins_is_caught():
    """The weights of the first half are not those of the second: the donors changed places."""
    panel = fake_panel(pre=40)
    twist = 5 * np.where(np.arange(48) < 24, 1.0, 0.0) * np.sin(np.arange(48))
    panel = changed(
        changed(panel, "donor_00", twist), "donor_05", 30 * (panel.times >= panel.start)
    )
    panel = changed(
        panel,
        "treated",
        np.where(
            np.arange(48) < 24, 0.0, panel.outcomes.sel(unit="donor_05") - panel.treated_outcome
        ),
    )
    assert specified(fake_fit(panel=panel)).verdict != "pass"


def test_every_kind_of_choice_is_tried():
    labels = set(specified(fake_fit(panel=fake_panel(donors=12, pre=40))).table.index)
    assert labels == {
        "2 effective donors", "8 effective donors", "uniform weights",
        "noise LocalLinearTrend", "noise AR1", "noise IID", "noise IID, no intercept",
        "free initial level", "initial level near donors",
        "pre-period from 2010", "pre-period from 2020",
    }  # fmt: skip


def test_of_a_later_beginning_half_the_shift_counts():
    fit = fake_fit(panel=fake_panel(donors=12, pre=40))
    sd = posterior_sd(fit)

    def verdict(label, shift):
        def moved(_, cases, **options):
            found = least_squares(_, cases)
            middle = float(fit.effect("average").draws.median()) + shift * sd * np.array(
                [k == label for k in found]
            )
            return {
                k: refit._replace(effects=refit.effects * 0 + there)
                for (k, refit), there in zip(found.items(), middle, strict=True)
            }

        return prior_sensitivity(fit, refit=moved).verdict

    found = [
        verdict(label, shift)
        for label in ("pre-period from 2010", "noise IID")
        for shift in (1.5, 2.5, 4.5)
    ]
    assert found == ["pass", "caution", "fail", "caution", "fail", "fail"]


def test_what_the_fit_itself_is_is_not_tried_again():
    assert (
        "noise IID" not in specified(fake_fit(model=bs.SyntheticControl(noise=IID()))).table.index
    )


def test_specifications_that_do_not_fit_the_panel_are_left_out():
    labels = specified(fake_fit(panel=fake_panel(donors=2, pre=8))).table.index
    assert not [label for label in labels if "effective" in label or "pre-period" in label]


def test_a_later_beginning_counts_outcomes_only():
    panel = hidden(fake_panel(pre=20), *range(12, 16))
    labels = specified(fake_fit(panel=panel)).table.index
    assert [label for label in labels if "pre-period" in label] == ["pre-period from 2005"]


def test_the_curve_is_in_order():
    assert specified(fake_fit()).table["median"].is_monotonic_increasing


def prior_power(fit):
    return specified(fit).table.attrs["prior_power"]


def test_power_scaling_sees_an_effect_that_follows_the_prior():
    assert prior_power(sensitive(fake_fit(), 0.0)) < 0.05
    noise = bs.noise.LocalLevel(q=bs.priors.HalfNormal(0.1))
    wide = sensitive(fake_fit(model=bs.SyntheticControl(noise=noise)), 20.0)
    assert prior_power(wide) > 0.05


def test_a_sensitive_effect_is_a_caution():
    fit = fake_fit(panel=fake_panel(pre=40))
    measured = prior_power(fit)
    checks = [specified(fit, power=threshold) for threshold in (measured, 0.99 * measured)]
    assert measured > 0
    assert [check.verdict for check in checks] == ["pass", "caution"]
    assert f"sensitivity to the noise's priors {measured:.2f}" in checks[1].reason


def test_without_densities_nothing_is_scaled():
    heavy = bs.SyntheticControl(noise=bs.noise.LocalLevel(degrees_of_freedom=4))
    assert np.isnan(specified(fake_fit(model=heavy)).table.attrs["likelihood_power"])
