"""What a plan says, keeps and refuses; its draws are fake unless a test is marked long."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_plans import fake_choice, fake_history, fake_plan, legend_of, walks
from scipy import stats

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.api import load as load_fit
from bayes_synth.errors import (
    DesignError,
    DesignWarning,
    LoadError,
    OptionError,
    PlanError,
    PlanWarning,
    ResultError,
)
from bayes_synth.planning.after import window_of_fit
from bayes_synth.planning.notes import notes_on
from bayes_synth.planning.starts import independent, past_starts
from bayes_synth.storage.save import PLAN_FACTS, read_sealed, write_sealed
from bayes_synth.testing import fake_fit


@pytest.fixture(scope="module")
def plan():
    return fake_plan()


def test_every_number_is_read_off_the_same_draws(plan):
    row = plan.table.loc[10]
    assert row["power"] == plan.power(0.05, periods=10)
    assert row["detectable_up"] == plan.detectable(periods=10)
    assert row["width"] == plan.width(periods=10)
    assert row["independent"] == independent([30, 38, 46], 10) == 2
    assert plan.power(row["detectable_up"], periods=10) == pytest.approx(0.8, abs=0.002)
    assert f"probability {row['power']:.2f}" in repr(plan)


def test_a_prior_on_the_effect_gives_assurance_and_its_bound():
    prior = stats.norm(0.05, 0.02)
    plan = fake_plan(prior=prior, rule=bs.rules.Probability(above=0.02))
    row = plan.table.loc[5]
    assert 0 < row["assurance"] <= row["assurance_bound"] == pytest.approx(1 - prior.cdf(0.02))
    assert plan.assurance(prior, periods=5) == row["assurance"]
    with pytest.raises(PlanError, match="H007"):
        plan.assurance(0.05, periods=5)


@pytest.mark.parametrize(
    ("sd", "effects", "word"),
    [(0.5, (0.05,), "ready"), (5, (0.02,), "weak"), (1, (), "no effect stated")],
)
def test_a_word_for_every_plan(sd, effects, word):
    assert fake_plan(sd=sd, effects=effects).verdict == word


def test_false_positives_beyond_the_rule_are_not_to_be_trusted():
    plan = fake_plan(sd=0.5)
    found = np.random.default_rng(1).random(len(plan.placebo_tests)) < 0.4
    many = plan.placebo_tests.assign(found=found)
    bad = replace(plan, placebo_tests=many)
    assert bad.verdict == "not to be trusted"
    assert "more false positives than the rule allows" in repr(bad)
    few = replace(plan, pretend_tests=plan.pretend_tests.assign(placebos=5))
    assert few.verdict == "not to be trusted"


def test_costs(plan):
    last = plan.history.outcomes.sel(unit=["u00", "u01"]).isel(time=slice(-10, None))
    assert plan.cost(per_unit=7.5, periods=10) == pytest.approx(7.5 * 0.05 * float(last.sum()))
    dark = bs.Spend({"u00": 10, "u01": 20})
    assert plan.cost(spend=dark, periods=5) == -150
    assert plan.cost(spend=bs.Spend({"u00": 10, "u01": 20}, change=0.5), periods=5) == 75


@pytest.mark.parametrize("given", [{}, {"per_unit": 1, "spend": bs.Spend({"u00": 1})}])
def test_one_kind_of_cost_is_wanted(plan, given):
    with pytest.raises(PlanError, match="H012"):
        plan.cost(periods=5, **given)


@pytest.mark.parametrize("price", [0, -3, np.inf, "7", True])
def test_a_price_is_positive(plan, price):
    with pytest.raises(PlanError, match="H012"):
        plan.cost(per_unit=price, periods=5)


def test_spends_that_are_none():
    with pytest.raises(PlanError, match=r"H012.*u00"):
        bs.Spend({"u00": -1})
    for change in (0, -1.5, np.nan):
        with pytest.raises(PlanError, match="H012"):
            bs.Spend({"u00": 1}, change)
    with pytest.raises(PlanError, match=r"H013.*u01"):
        fake_plan().cost(spend=bs.Spend({"u00": 1}), periods=5)


def test_lengths_and_effects_must_be_known(plan):
    for periods in (None, 7):
        with pytest.raises(PlanError, match="H014"):
            plan.power(0.05, periods=periods)
    with pytest.raises(PlanError, match="H014"):
        fake_plan(effects=(0.05, 0.1)).cost(per_unit=1, periods=5)
    with pytest.raises(OptionError, match="O060"):
        plan.detectable(power=80, periods=5)


def test_a_plan_survives_a_file(plan, tmp_path):
    for suffix in ("nc", "zarr.zip"):
        path = tmp_path / f"plan.{suffix}"
        plan.save(path)
        back = bs.load(path)
        assert repr(back) == repr(plan)
        pd.testing.assert_frame_equal(back.table, plan.table)
        assert back.history == plan.history
        assert back.model == plan.model
        with pytest.raises(LoadError, match="L004"):
            plan.save(path)


def test_a_prior_survives_a_file_if_scipy_has_it(tmp_path):
    plan = fake_plan(prior=stats.norm(0.05, scale=0.02))
    plan.save(tmp_path / "plan.nc")
    back = bs.load(tmp_path / "plan.nc")
    pd.testing.assert_frame_equal(back.table, plan.table)

    class Own:
        def cdf(self, x):
            return stats.norm.cdf(x)

        def ppf(self, q):
            return stats.norm.ppf(q)

    with pytest.raises(LoadError, match="L003"):
        fake_plan(prior=Own()).save(tmp_path / "own.nc")


@pytest.mark.long
def test_files_that_hold_no_plan(plan, tmp_path):
    with pytest.raises(LoadError, match="L001"):
        bs.load(tmp_path / "none.nc")
    fake_fit().save(tmp_path / "fit.nc")
    assert isinstance(bs.load(tmp_path / "fit.nc"), bs.Fit)
    plan.save(tmp_path / "plan.nc")
    with pytest.raises(LoadError, match=r"L026.*the plan of a test"):
        load_fit(tmp_path / "plan.nc")
    tree, _ = read_sealed(tmp_path / "plan.nc")
    for facts, code in (('{"schema": 99}', "L002"), ('{"schema": 1}', "L001"), ("[]", "L001")):
        write_sealed(tree, {PLAN_FACTS: facts}, tmp_path / "odd.nc", overwrite=True)
        with pytest.raises(LoadError, match=code):
            bs.load(tmp_path / "odd.nc")
    data = bytearray((tmp_path / "plan.nc").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "plan.nc").write_bytes(data)
    with pytest.raises(LoadError, match="L001"):
        bs.load(tmp_path / "plan.nc")


def test_a_choice_survives_a_file(tmp_path):
    choice = fake_choice()
    choice.save(tmp_path / "choice.nc")
    back = bs.load(tmp_path / "choice.nc")
    assert isinstance(back, bs.Choice)
    assert repr(back) == repr(choice)
    pd.testing.assert_frame_equal(back.table, choice.table)
    assert back.table.attrs == choice.table.attrs
    pd.testing.assert_frame_equal(back.left_out, choice.left_out)
    assert list(back.plans) == list(choice.plans)
    assert back.windows == choice.windows
    pd.testing.assert_frame_equal(back.best.table, choice.best.table)
    with pytest.raises(LoadError, match="L004"):
        choice.save(tmp_path / "choice.nc")


@pytest.mark.parametrize("kind", ["text", "markdown", "html"])
def test_a_report_says_who_what_and_whether(plan, kind):
    text = plan.report(kind)
    assert "u00, u01" in text
    assert "nominal is 10%" in text
    assert ("<img" in text) == (kind == "html")


def test_reports_of_other_kinds_are_refused(plan):
    with pytest.raises(OptionError, match="O062"):
        plan.report("pdf")


@pytest.mark.parametrize("backend", ["none", "matplotlib", "plotly", "bokeh"])
@pytest.mark.parametrize("name", ["plot", "plot_power", "plot_lengths", "plot_pretend_tests"])
def test_pictures_on_every_backend(plan, name, backend):
    getattr(plan, name)(backend=backend, theme="dark", title="Ours")
    if backend == "matplotlib":
        import matplotlib.pyplot as plt

        plt.close("all")


def test_notes_say_what_dates_and_samplers_show(plan):
    notes = {code: text for code, _, text in notes_on(plan)}
    assert "less than a year" in notes["H022"]
    assert "tests of 5, 10 days are no whole weeks" in notes["H023"]
    unsettled = replace(plan, pretend_tests=plan.pretend_tests.assign(ok=False))
    assert "6 of 6 pretend tests" in {c: t for c, _, t in notes_on(unsettled)}["H024"]
    assert "H022" not in [code for code, *_ in notes_on(fake_plan(history=fake_history()))]


# --- after the test ---


def longer(plan, extra=10, **changes):
    wide = pd.DataFrame(
        plan.history.outcomes.to_numpy(), plan.history.times, list(plan.history.units)
    )
    times = pd.date_range(wide.index[-1] + pd.Timedelta(days=1), periods=extra)
    more = pd.DataFrame(100.0, times, wide.columns) + np.arange(extra)[:, None]
    return pd.concat([wide, more]).assign(**changes)


def test_the_panel_of_the_test_is_the_one_that_was_planned(plan):
    data = bs.History.from_wide(longer(plan, new=5.0), outcome="sales")
    panel = plan.panel(data, "2024-03-01")
    assert panel.treated == plan.treated
    assert panel.donors == plan.donors
    assert len(panel.post) == 10


def test_data_that_are_not_the_planned_ones_are_refused(plan):
    frame = longer(plan)
    read = bs.History.from_wide
    with pytest.raises(PlanError, match=r"H015.*u05"):
        plan.panel(read(frame.drop(columns="u05")), "2024-03-01")
    with pytest.raises(PlanError, match=r"H015.*are gone"):
        plan.panel(read(frame.iloc[5:]), "2024-03-01")
    changed = frame.copy()
    changed.iloc[3, 4] += 1
    with pytest.raises(PlanError, match=r"H015.*u04 at 2024-01-04"):
        plan.panel(read(changed), "2024-03-01")
    with pytest.raises(PlanError, match="H016"):
        plan.panel(read(frame), "2024-02-20")
    hole = frame.copy()
    hole.iloc[-1, 4] = np.nan
    with pytest.raises(PlanError, match=r"H015.*u04"):
        plan.panel(read(hole, missing="model"), "2024-03-01")
    with pytest.raises(PlanError, match="H008"):
        plan.panel(frame, "2024-03-01")


def test_periods_that_the_plan_left_out_are_not_let_in_again():
    history = fake_history(dates=True).exclude("u00", slice("2024-01-10", "2024-01-12"))
    plan = fake_plan(history=history)
    full = longer(fake_plan(history=fake_history(dates=True)))
    data = bs.History.from_wide(full, outcome="sales")
    with pytest.raises(PlanError, match=r"H015.*3 outcomes.*u00 at 2024-01-10: .*exclude"):
        plan.panel(data, "2024-03-01")
    data = data.exclude("u00", slice("2024-01-10", "2024-01-12"))
    assert len(plan.panel(data, "2024-03-01").missing_times) == 3


def test_an_outcome_that_is_gone_has_changed(plan):
    frame = longer(plan)
    frame.loc["2024-01-20", "u00"] = np.nan
    with pytest.raises(PlanError, match=r"H015.*1 outcomes.*u00 at 2024-01-20: plan again"):
        plan.panel(bs.History.from_wide(frame, missing="model"), "2024-03-01")


def test_delivery_is_of_the_periods_that_have_an_outcome(plan):
    frame = longer(plan)
    frame.loc["2024-03-03":"2024-03-06", "u00"] = np.nan
    data = bs.History.from_wide(frame, outcome="sales", missing="model")
    fit = fake_fit(panel=plan.panel(data, "2024-03-01"))
    window = window_of_fit(fit)
    effect = fit.effect("average").draws.to_numpy().ravel()
    assert np.allclose(window.observed - window.draws, effect)
    low, high = np.quantile(effect, [0.05, 0.95])
    assert plan.compare(fit).loc["width", "delivered"] == pytest.approx(high - low)


def test_balance_is_of_the_periods_that_have_an_outcome(plan):
    path = plan.before.path.assign(synthetic=plan.before.path["observed"] + 1.0)
    path.iloc[:20, 0] = np.nan
    balance = plan.before._replace(path=path).balance
    assert balance["synthetic"] - balance["observed"] == pytest.approx(1.0)
    assert balance["rmse"] == pytest.approx(1.0)


def test_a_start_between_two_times_is_said_to_move():
    history = fake_history(dates=True).exclude(None, slice("2024-02-10", "2024-02-12"))
    with pytest.warns(DesignWarning, match=r"D003.*2024-02-11.*starts at 2024-02-13"):
        (start,) = past_starts(history, "2024-02-11", 5)
    assert str(history.times[start].date()) == "2024-02-13"


def test_a_report_is_headed_by_what_it_is(plan):
    assert plan.report().splitlines()[0] == "Plan"


def test_every_length_is_drawn_however_many_there_are():
    plan = fake_plan(periods=range(2, 9))
    assert [f"{length} periods" in legend_of(plan.plot_power) for length in plan.periods] == [
        True
    ] * 7


def test_a_plan_is_held_to_what_it_promised(plan):
    data = bs.History.from_wide(longer(plan), outcome="sales")
    panel = plan.panel(data, "2024-03-01").drop("u05")
    table = plan.compare(fake_fit(panel=panel))
    assert table.loc["periods"].tolist() == [10, 10]
    assert table.loc["donors"].tolist() == [10, 9]
    assert table.attrs["donors_gone"] == ["u05"]
    assert np.isfinite(table.loc[["width", "detectable_up"]].to_numpy(float)).all()
    with pytest.raises(PlanError, match="H017"):
        plan.compare(fake_fit())


def test_lift_tests_have_pymc_marketings_columns(plan):
    rows = plan.lift_test(channel="social", x=100, delta_x=10)
    assert rows.columns.tolist() == ["channel", "x", "delta_x", "delta_y", "sigma"]
    fit = fake_fit()
    effect = float(fit.effect("total").draws.median()) / len(fit.panel.post)
    row = fit.lift_test(channel="social", x=100, delta_x=np.sign(effect) * 10).iloc[0]
    assert row["delta_y"] == pytest.approx(effect)
    assert row["sigma"] > 0
    with pytest.raises(ResultError, match=r"R060.*pymc-marketing refuses"):
        fit.lift_test(channel="social", x=100, delta_x=-np.sign(effect) * 10)
    with pytest.raises(ResultError, match="R060"):
        fit.lift_test(channel="social", x=100, delta_x=0)


# --- bad input: one message each, before anything is fitted ---

MODEL = bs.SyntheticControl()


@pytest.mark.parametrize(
    ("treated", "options", "code"),
    [
        (["nowhere"], {}, "H001"),
        (["u00"], {"never_donors": ["nowhere"]}, "H001"),
        (["u00"], {"never_donors": ["u00"]}, "H009"),
        ([], {}, "H009"),
        (["u00"], {"periods": 21}, "H004"),
        (["u00"], {"periods": 0}, "H004"),
        (["u00"], {"periods": 2.5}, "H004"),
        (["u00"], {"periods": []}, "H004"),
        (["u00"], {"starts": 0}, "H005"),
        (["u00"], {"starts": []}, "H005"),
        (["u00"], {"starts": [58]}, "H005"),
        (["u00"], {"starts": [1]}, "H005"),
        (["u00"], {"effect": 0}, "H007"),
        (["u00"], {"effect": 5}, "H007.*0.05"),
        (["u00"], {"effect": -1}, "H007"),
        (["u00"], {"effect": "5%"}, "H007"),
        (["u00"], {"effect": [0.05, np.nan]}, "H007"),
        (["u00"], {"rule": "interval"}, "H006"),
    ],
)
def test_bad_requests_are_refused_in_one_message(treated, options, code):
    with pytest.raises(PlanError, match=code):
        MODEL.plan(fake_history(), treated, **({"periods": 5} | options))


def test_a_panel_is_no_history():
    with pytest.raises(PlanError, match="H008"):
        MODEL.plan(fake_fit().panel, ["treated"], periods=3)


def test_unknown_options_are_refused():
    with pytest.raises(OptionError, match=r"O061.*starts"):
        MODEL.plan(fake_history(), ["u00"], periods=5, start=3)


def test_shares_of_nothing_are_refused():
    wide = walks(6, 40)
    wide["u00"] = 0.0
    with pytest.raises(PlanError, match="H010"):
        MODEL.plan(bs.History.from_wide(wide), ["u00"], periods=5)


def test_a_history_that_ends_in_an_earlier_test():
    history = fake_history(dates=True).exclude("u00", slice("2024-02-25", None))
    with pytest.raises(PlanError, match="H011"):
        MODEL.plan(history, ["u00"], periods=5)


def test_constant_units_and_no_donors():
    wide = walks(6, 40)
    wide["u00"] = 7.0
    with pytest.raises(DesignError, match="V004"):
        MODEL.plan(bs.History.from_wide(wide), ["u00"], periods=5, progressbar=False)
    history = fake_history()
    with pytest.raises(DesignError, match="D014"):
        MODEL.plan(history, ["u00"], periods=5, never_donors=history.units[1:])


# --- with fits ---

SMALL = bs.SyntheticControl(calibrate=bs.Calibration(draws=90, tune=60, q_factors=(1.0,)))


@pytest.fixture(scope="module")
def real():
    history = fake_history(units=7, times=36)
    with pytest.warns(PlanWarning, match="H021"):
        return SMALL.plan(
            history,
            ["u00"],
            periods=[3, 5],
            effect=0.05,
            starts=2,
            draws=200,
            tune=200,
            random_seed=3,
            progressbar=False,
        )


def test_a_plan_is_the_fit_that_will_judge_the_test(real):
    """The draws of a pretend test are those of a fit of that window, bit for bit."""
    options = {"draws": 200, "tune": 200, "chains": 2, "random_seed": 3, "progressbar": False}
    for length in (3, 5):
        start = real.counterfactual["start"].to_numpy()[-1]
        first = int(np.searchsorted(real.history.times, start))
        panel = real.history.panel(["u00"], first, length)
        with pytest.warns(match="S003"):
            fit = SMALL.fit(panel, **options)
        # A fit may try again where a plan does not; these draws are few, so the first is compared.
        average = fit.counterfactual.sel(time=panel.post.to_numpy()).mean("time")
        planned = real.counterfactual.sel(periods=length, start=start)
        if len(fit.record.attempts) == 1:
            np.testing.assert_allclose(planned, average.transpose("chain", "draw"), rtol=1e-12)


def test_a_plan_is_the_same_for_its_seed_in_any_order_and_on_any_cores(real):
    units = real.history.outcomes["unit"].to_numpy()[::-1]
    frame = pd.DataFrame(
        real.history.outcomes.sel(unit=units).to_numpy(), real.history.times, list(units)
    )
    with pytest.warns(PlanWarning, match="H021"):
        again = SMALL.plan(
            bs.History.from_wide(frame, outcome="sales"),
            "u00",
            periods=[5, 3],
            effect=0.05,
            starts=2,
            draws=200,
            tune=200,
            random_seed=3,
            cores=1,
            progressbar=False,
        )
    assert again.counterfactual.equals(real.counterfactual)
    pd.testing.assert_frame_equal(again.placebo_tests, real.placebo_tests)


def test_no_planned_unit_is_audited_and_no_placebo_is_calibrated_on_itself(real):
    assert "u00" not in set(real.placebo_tests["unit"])
    assert len(real.placebo_tests) == 6 * 2 * 2
    assert real.placebo_tests["pit"].between(0, 1).all()


@pytest.mark.long
def test_the_command_line_plans(tmp_path, capsys, monkeypatch):
    frame = walks(6, 30, seed=1).rename_axis("day").reset_index().melt("day", None, "unit", "sales")
    frame.to_csv(tmp_path / "data.csv", index=False)
    monkeypatch.setattr(bs.SyntheticControl, "plan", lambda self, history, *_, **__: fake_plan())
    common = ["--unit", "unit", "--time", "day", "--outcome", "sales", "--periods", "3", "--quiet"]
    line = ["plan", str(tmp_path / "data.csv"), *common, "--treated", "u00", "--effect", "0.05"]
    out = ["-o", str(tmp_path / "plan.html"), "--save", str(tmp_path / "plan.nc")]
    assert main([*line, *out]) == 0
    assert "Plan: ready" in capsys.readouterr().out
    assert "<img" in (tmp_path / "plan.html").read_text()
    assert bs.load(tmp_path / "plan.nc").verdict == "ready"
    assert main([*line, *out]) == 2
    assert "L004" in capsys.readouterr().err
    assert main([*line, "-o", "plan.pdf"]) == 2
    assert "O062" in capsys.readouterr().err
    monkeypatch.setattr(bs.SyntheticControl, "plan", lambda *_, **__: fake_plan(sd=9))
    assert main(line) == 1
    monkeypatch.undo()
    choose = ["choose", str(tmp_path / "data.csv"), *common, "--sizes", "2", "--budget", "7"]
    assert main(choose) == 2
    assert "H025" in capsys.readouterr().err


def test_one_window_is_no_audit():
    with pytest.warns(PlanWarning) as caught:
        SMALL.plan(
            fake_history(units=5, times=30),
            "u00",
            periods=3,
            starts=1,
            draws=50,
            tune=50,
            random_seed=1,
            progressbar=False,
        )
    assert any("H020" in str(each.message) for each in caught)
