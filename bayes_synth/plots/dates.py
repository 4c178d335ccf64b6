"""Ticks on whole periods, with short calendar labels of which the first says the year."""

from typing import Any

import numpy as np

from bayes_synth.plots.look import Look

__all__ = ["time_axis"]


def time_axis(target: Any, times: np.ndarray, look: Look, width: int = 80) -> None:
    """Space the ticks of a time axis; ``width`` is how many characters fit beside each other."""
    draw = {"matplotlib": _matplotlib, "bokeh": _bokeh, "plotly": _plotly}.get(look.backend)
    if draw is not None:
        draw(target, times.dtype.kind == "M", max(2, min(8, width // 10)))


def _matplotlib(target: Any, dates: bool, most: int) -> None:
    from matplotlib.dates import AutoDateLocator
    from matplotlib.ticker import MaxNLocator

    from bayes_synth.plots.date_labels import DateLabels

    if not dates:
        steps = MaxNLocator(most + 1, integer=True, steps=[1, 2, 5, 10])
        target.xaxis.set_major_locator(steps)
        return
    target.xaxis.set_major_locator(AutoDateLocator(minticks=min(3, most), maxticks=most))
    target.xaxis.set_major_formatter(DateLabels())


def _bokeh(target: Any, dates: bool, most: int) -> None:
    from bokeh.models import AdaptiveTicker, DatetimeTicker, DatetimeTickFormatter

    # Without them bokeh counts milliseconds since 1970, and puts ticks on round numbers of those.
    if dates:
        target.xaxis.ticker = DatetimeTicker(desired_num_ticks=most)
        target.xaxis.formatter = DatetimeTickFormatter(days="%d %b %Y", months="%b %Y", years="%Y")
    else:
        target.xaxis.ticker = AdaptiveTicker(
            base=10, mantissas=[1, 2, 5], min_interval=1, desired_num_ticks=most
        )


def _plotly(target: Any, dates: bool, most: int) -> None:
    target.update_xaxes(nticks=most + 1, **({} if dates else {"tickformat": "d"}))
