"""What the examples in docstrings start from: small made-up data, and fake fits of it."""

from typing import Any

import numpy as np
import pandas as pd
from fake_plans import fake_cells, fake_choice, fake_plan
from planted import least_squares
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.checks.refits import case_key, made_before
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def namespace() -> dict[str, Any]:
    """Names that an example may use without saying where they come from."""
    panel = fake_panel(effect=3.0, pre=30)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    give_other_specifications(fit)
    wide = panel.outcomes.to_pandas()
    df = wide.rename_axis("year").stack().rename_axis(["year", "state"]).rename("sales")
    joint = fake_joint({"u00": 2012, "u01": 2014})
    plan = fake_plan()
    post = panel.post.tolist()
    return {
        "seen": panel.treated_outcome.sel(time=post),
        "untreated": fit.counterfactual.sel(time=post),
        "bs": bs,
        "np": np,
        "pd": pd,
        "panel": panel,
        "fit": fit,
        "idata": fit.idata,
        "wide": wide,
        "df": df.reset_index(),
        "joint": joint,
        "study": joint.study,
        "plan": plan,
        "history": plan.history,
        "after": continued(plan.history),
        "choice": fake_choice(cost=7.5),
        "cells": fake_cells(),
        "model": bs.SyntheticControl(),
    }


def give_other_specifications(fit: bs.Fit) -> None:
    """Let least squares stand for refits that NUTS would sample, which takes half a minute."""

    def refit(fit: bs.Fit, cases: dict, **options: Any) -> dict:
        answers = least_squares(fit, cases, **options)
        made_before(fit).update({case_key(cases[each], 0): answers[each] for each in cases})
        return answers

    bs.checks.prior_sensitivity(fit, refit=refit)


def continued(history: bs.History, days: int = 10) -> bs.History:
    """The same history, and as many days after it in which nothing happens."""
    past = history.outcomes.to_pandas()
    times = pd.date_range(past.index[-1], periods=days + 1)[1:]
    later = pd.DataFrame(past.to_numpy()[-1:].repeat(days, 0), index=times, columns=past.columns)
    return bs.History.from_wide(pd.concat([past, later]), outcome=history.outcome)
