"""The contract of every registered check: question, verdict, sentence, table, picture."""

import inspect
from pathlib import Path
from typing import get_args

import matplotlib as mpl
import pytest
from planted import least_squares

from bayes_synth.checks import QUESTIONS, Verdict, run
from bayes_synth.errors import ResultError
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

mpl.use("agg")
BACKENDS = ("none", "matplotlib", "plotly", "bokeh")
PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
NAMED = {"spillover": {"neighbours": ["donor_01"]}}
"""Options without which a question is not asked."""


@pytest.fixture(scope="module", params=[False, True], ids=["years", "dates"])
def fit(request):
    panel = fake_panel(pre=30, effect=10.0, dates=request.param)
    return fake_fit(panel=panel, placebos=fake_placebos(panel))


@pytest.fixture(scope="module")
def unconverged():
    return fake_fit(
        panel=fake_panel(effect=10.0), placebos=fake_placebos(fake_panel()), divergences=200
    )


@pytest.fixture(scope="module")
def ask():
    """Ask about a fit with refits by least squares, each question once."""
    answers = {}

    def asked(question, fit):
        if (question.name, fit) not in answers:
            refits = {"refit": least_squares, "progressbar": False} if question.refits else {}
            options = NAMED.get(question.name, {}) | refits
            about = fit.panel if question.of == "panel" else fit
            answers[question.name, fit] = question.function(about, **options)
        return answers[question.name, fit]

    return asked


every_check = pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda each: each.name)


@every_check
def test_the_answer_says_who_was_asked_what(question, fit, ask):
    check = ask(question, fit)
    assert (check.name, check.question) == (question.name, question.question)
    assert question.question.endswith("?")


@every_check
def test_the_verdict_is_known_and_the_reason_is_a_sentence(question, fit, ask):
    check = ask(question, fit)
    assert check.verdict in get_args(Verdict)
    assert check.verdict != "not applicable"
    assert check.reason.endswith(".")
    assert not check.reason.endswith("..")
    assert check.reason[0].isupper() or check.reason[0].isdigit()


@every_check
def test_the_table_holds_the_thresholds(question, fit, ask):
    table = ask(question, fit).table
    options = inspect.signature(question.function).parameters.values()
    thresholds = {option.name for option in options if type(option.default) in (int, float)} - {
        "random_seed"
    }
    assert len(table)
    assert thresholds
    assert thresholds <= set(table.attrs)


@every_check
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_picture_is_drawn_on_every_backend(question, fit, ask, backend, tmp_path):
    check = ask(question, fit)
    if check.picture is None:
        with pytest.raises(ResultError, match="R008"):
            check.plot(backend=backend)
        return
    canvas = check.plot(backend=backend)
    assert canvas.backend == backend
    if backend != "none":
        file = tmp_path / f"figure.{'png' if backend == 'matplotlib' else 'html'}"
        canvas.savefig(file)
        assert file.stat().st_size > 1000


@every_check
def test_a_fit_that_has_not_converged_says_so_on_the_picture(question, unconverged, ask):
    if question.of == "panel":
        return
    figure = ask(question, unconverged).plot(backend="matplotlib").viz["figure"].item()
    assert "NOT CONVERGED" in figure.axes[0].get_title()


@every_check
def test_a_check_that_refits_takes_a_refitter(question):
    options = inspect.signature(question.function).parameters
    assert question.refits == ({"refit", "random_seed", "progressbar"} <= set(options))
    assert len(options) <= 8


@every_check
def test_the_page_on_checks_names_it(question):
    assert f"`{question.name}`" in PAGE.read_text()


@every_check
def test_the_docstring_says_which_side_passes(question):
    text = " ".join(question.function.__doc__.split())
    assert any(words in text for words in ("Upper bound", "Lower bound", "lower bounds")), text


def test_questions_are_asked_in_the_order_of_their_places(fit):
    places = sorted(QUESTIONS.values(), key=lambda each: each.place)
    looking = [each.name for each in places if not each.refits]
    assert run(fit, only=looking).table.index.tolist() == looking
    assert len({each.place for each in places}) == len(places)
