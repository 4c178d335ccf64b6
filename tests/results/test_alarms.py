"""Alarms: each sounds where it should, none on a clean fit, everywhere the same."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.results.alarms import ALARMS, Alarm, alarm, as_number, codes_in
from bayes_synth.results.alarms.last_periods import out_of_line
from bayes_synth.results.alarms.wanderer import wandering
from bayes_synth.results.calibrated import Placebos
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def codes(fit) -> list[str]:
    return [code for code, _ in fit.alarms]


def calibrated(panel: Panel):
    return fake_fit(panel=panel, placebos=fake_placebos(panel))


def changed(change, **options) -> Panel:
    """A fake panel with a changed table; it is built without remarks."""
    panel = fake_panel(donors=8, pre=40, post=20, **options)
    table = panel.outcomes.to_pandas()
    change(table)
    return replace(panel, outcomes=panel.outcomes.copy(data=table.to_numpy()))


def test_a_clean_calibrated_fit_has_no_alarm_but_of_its_fake_spread():
    found = codes(calibrated(changed(lambda table: None)))
    # Fake placebos know nothing of the panel's measure, so their factor is arbitrary.
    assert set(found) <= {"A010", "A011"}


def test_a_fit_that_is_not_calibrated_says_so_also_when_that_was_asked_for():
    model = bs.SyntheticControl(calibrate=False)
    fit = fake_fit(model=model)
    assert fit.alarms[0].sentence.startswith("NOT CALIBRATED (calibrate=False): ")
    assert repr(fit).splitlines()[0].endswith("[A004]")


def test_few_placebos_are_counted_by_independent_groups():
    assert "A005" in codes(calibrated(fake_panel(donors=4)))
    assert "A005" not in codes(calibrated(fake_panel(donors=5)))


def zero(table):
    table.iloc[45:51, [0, 1]] = 0


def filled(table):
    table.iloc[45:51, 0] = table.iloc[44, 0]


def shifted(table):
    table.iloc[45:, 1] += 60


@pytest.mark.parametrize("change", [zero, filled, shifted])
def test_broken_donors_with_weight_alarm(change):
    fit = calibrated(changed(change))
    sentence = dict(fit.alarms)["A008"]
    assert "donor_00" in sentence or "donor_01" in sentence
    assert "of the weight" in sentence


def test_the_alarm_says_how_much_of_the_effect_is_broken():
    def outage(table):
        table.iloc[40:50, 0] = 0

    panel = changed(outage)
    sentence = dict(calibrated(panel).alarms)["A008"]
    # Weight .6, from about 100 to 0, in half of the periods: some +30.
    moved = float(sentence.split("moves the average effect by about ")[1].split(".")[0].split()[0])
    assert 25 < moved < 35


def test_a_broken_donor_without_weight_or_before_the_start_does_not_alarm():
    def elsewhere(table):
        table.iloc[45:51, 6] = 0
        table.iloc[10:16, 0] = 0

    assert "A008" not in codes(calibrated(changed(elsewhere)))


@pytest.mark.parametrize(
    ("rows", "sounds"), [((10, 16), True), ((45, 51), True), ((45, 60), False)]
)
def test_zeros_of_the_treated_unit_alarm_unless_they_may_be_the_effect(rows, sounds):
    def change(table):
        table.iloc[slice(*rows), -1] = 0

    assert ("A009" in codes(calibrated(changed(change)))) == sounds


def test_a_treated_unit_that_grows_as_no_donor_does_alarms():
    def change(table):
        table.iloc[:, -1] += 2.0 * np.arange(len(table))

    sentence = dict(calibrated(changed(change)).alarms)["A006"]
    assert "the treated unit's slope" in sentence


@pytest.mark.parametrize("size", [8.0, -8.0])
@pytest.mark.parametrize("back", [1, 2, 3])
def test_one_of_the_last_periods_out_of_line_alarms(size, back):
    def change(table):
        table.iloc[40 - back, -1] += size

    fit = calibrated(changed(change))
    assert "degrees_of_freedom=4" in dict(fit.alarms)["A007"]


def test_an_earlier_period_out_of_line_does_not():
    def change(table):
        table.iloc[20, -1] += 8

    assert "A007" not in codes(calibrated(changed(change)))


def test_what_donors_do_as_well_is_in_line():
    rng = np.random.default_rng(0)
    own, donors = rng.normal(size=40), rng.normal(size=(10, 40))
    own[-1], donors[:, -1] = 8.0, 8.0
    size, limit = out_of_line(own, donors)
    assert size < limit
    size, limit = out_of_line(own, np.empty((0, 0)))
    assert size > limit


def of(code: str, **facts) -> str:
    calibration = SimpleNamespace(**{"kappa": 1.0, "pooling": 1.0, "width_ratio": 1.0} | facts)
    return ALARMS[code](SimpleNamespace(calibration=calibration))


@pytest.mark.parametrize(
    ("ratio", "word"), [(0.2, "SMALLER"), (5.0, "LARGER"), (1.0, ""), (np.nan, "")]
)
def test_a_width_far_from_the_models_own_alarms(ratio, word):
    said = of("A010", width_ratio=ratio)
    assert word in said
    assert bool(said) == bool(word)


def wandering_gaps(periods: int, donors: int, walk: bool) -> str:
    """The sentence of A011 for errors without memory, or a walk, among calm donors."""
    rng = np.random.default_rng(periods + donors)
    own = rng.normal(size=periods)
    inputs = SimpleNamespace(
        outcome=np.cumsum(own) if walk else own,
        donor_outcomes=np.zeros((periods + 5, 2)),
        periods=periods,
    )
    calm = pd.DataFrame(rng.normal(size=(donors, periods + 5)))
    return ALARMS["A011"](
        SimpleNamespace(
            problem=SimpleNamespace(inputs=inputs),
            seen=np.arange(0, periods, 2),
            weights=np.full(2, 0.5),
            calibration=SimpleNamespace(gaps=calm),
        )
    )


@pytest.mark.parametrize("walk", [True, False])
def test_a_unit_that_wanders_among_calm_donors_alarms(walk):
    assert wandering_gaps(120, 12, walk).startswith("WANDERS MORE THAN ITS DONORS") == walk


@pytest.mark.parametrize(("periods", "donors"), [(14, 12), (120, 4), (120, 0)])
def test_too_few_periods_or_donors_tell_nothing_of_wandering(periods, donors):
    assert wandering_gaps(periods, donors, walk=True) == ""


def test_how_far_gaps_wander_is_zero_for_white_noise_and_grows_with_a_walk():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 400))
    assert abs(wandering(noise).mean()) < 0.01
    short, long = (wandering(np.cumsum(noise[:, :n], axis=1)).mean() for n in (20, 400))
    assert 0.5 < short < long
    assert wandering(3.0 + 7.0 * noise) == pytest.approx(wandering(noise))
    assert wandering(np.zeros(10)) == 0


@pytest.mark.parametrize("size", [1e-298, 1e150])
def test_outcomes_of_any_size_have_their_verdicts(size):
    panel = changed(lambda table: table.__imul__(size))
    assert fake_fit(panel=panel).fit_verdict.ratio == pytest.approx(
        fake_fit(panel=changed(lambda table: None)).fit_verdict.ratio, rel=1e-6
    )


def test_every_place_shows_the_same_alarms(tmp_path):
    fit = calibrated(changed(zero))
    said = [f"{sentence} [{code}]" for code, sentence in fit.alarms]
    assert repr(fit).splitlines()[: len(said)] == said
    assert "BROKEN DONORS" in fit.report()
    assert fit.diagnostics().attrs["alarms"] == [list(each) for each in fit.alarms]
    fit.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").alarms == fit.alarms


def test_codes_go_through_one_number():
    some = (Alarm("A003", ""), Alarm("A011", ""), Alarm("A052", ""))
    assert codes_in(as_number(some)) == "A003 A011 A052"
    assert codes_in(as_number(())) == codes_in(np.nan) == ""


def test_a_code_must_fit_into_the_number():
    with pytest.raises(TypeError, match="between A001 and A052, got 'A053'"):
        alarm("A053")


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_no_measure_of_the_outcome_decides_whether_the_last_periods_are_out_of_line(factor):
    """Gaps of donors are counted in their own steps, so that no floor binds by the measure."""

    def sentence(factor: float) -> str:
        def jump(table):
            table.iloc[38:40, table.columns.get_loc("treated")] += 3
            table *= factor

        panel = changed(jump)
        placebos, rng = fake_placebos(panel), np.random.default_rng(5)
        gaps = placebos.gaps.copy()
        gaps[:] = factor * rng.standard_t(2, size=gaps.shape)
        steps = placebos.table.assign(step=factor)
        return dict(fake_fit(panel=panel, placebos=Placebos(steps, (), gaps)).alarms)["A007"]

    assert sentence(factor) == sentence(1.0)
