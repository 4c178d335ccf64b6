"""What the examples in docstrings start from: small made-up data, and fake fits of it."""

from typing import Any

import numpy as np
import pandas as pd
from fake_plans import fake_choice, fake_plan
from small_studies import fake_joint

import bayes_synth as bs
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos


def namespace() -> dict[str, Any]:
    """Names that an example may use without saying where they come from."""
    panel = fake_panel(effect=3.0, pre=30)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
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
        "wide": wide,
        "df": df.reset_index(),
        "joint": joint,
        "study": joint.study,
        "plan": plan,
        "history": plan.history,
        "choice": fake_choice(),
        "model": bs.SyntheticControl(),
    }
