"""Small tasks for the tests of batches, which the processes that these tests start import too."""

from dataclasses import replace

import bayes_synth as bs
from bayes_synth.testing import fake_panel

QUICK = {"draws": 50, "tune": 50, "chains": 2}
LENIENT = QUICK | {"largest_r_hat": 2.0, "least_ess": 1}
HOPELESS = {"largest_r_hat": 0.5}
"""No fit converges by this standard, however long it is sampled."""
QUIET = {"progressbar": False, "random_seed": 5}
PLAIN = bs.SyntheticControl(calibrate=False)


def tasks(count=6, **options):
    panels = [fake_panel(donors=4, random_seed=i, effect=3.0) for i in range(count)]
    return [
        bs.FitTask(panel, PLAIN, {"i": i}, **LENIENT | options) for i, panel in enumerate(panels)
    ]


def unloggable():
    """A task that fails: its outcomes are negative, and its model takes logarithms."""
    panel = fake_panel(donors=4)
    negative = replace(panel, outcomes=panel.outcomes - 1e6)
    return bs.FitTask(negative, replace(PLAIN, scale="log"), {"i": "bad"}, **LENIENT)


def bits(result):
    """The table without the time that it took."""
    return result.table.drop(columns="seconds")
