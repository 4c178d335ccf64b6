"""Today's answers are those of commit 8ef7793, bit for bit, for 37 fits and a run of checks."""

import json

import answers
import pytest

STORED = json.loads(answers.ANSWERS.read_text())
MADE = [*answers.fits(), ("chosen noise", answers.chosen), ("checks", answers.checks)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "make"), MADE, ids=[name for name, _ in MADE])
def test_an_answer_is_the_same(name, make):
    if answers.machine() != STORED["machine"]:
        pytest.skip(f"made on {STORED['machine']}: draws are bitwise equal on one type only")
    assert json.loads(json.dumps(make())) == STORED["answers"][name]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_batch_differs_by_the_rule_of_second_attempts_alone(monkeypatch):
    """At 8ef7793 a batch repeated every fit with a problem; single fits had today's rule."""
    if answers.machine() != STORED["machine"]:
        pytest.skip(f"made on {STORED['machine']}: draws are bitwise equal on one type only")
    rule = "bayes_synth.batch.one.mendable"
    monkeypatch.setattr(rule, lambda verdict, *_: bool(verdict.problems))
    assert json.loads(json.dumps(answers.batch())) == STORED["answers"]["batch"]
