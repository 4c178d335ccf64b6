"""A fit to be made: small, frozen, and identified by its content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import numpy as np

from bayes_synth.api import SyntheticControl
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.results.convergence import FIT, Standard
from bayes_synth.sampling.settings import Settings, Size, entropy
from bayes_synth.storage.digests import fingerprint
from bayes_synth.storage.specs import to_spec
from bayes_synth.words import short

__all__ = ["FitTask", "named"]

CONTENT = ("draws", "tune", "chains", "target_accept", "sampler", "largest_r_hat", "least_ess")
"""Fields that are part of a task's key, beside the panel and the model; the order is part of it."""


@final
@dataclass(frozen=True, eq=False)
class FitTask:
    """One fit of :func:`bayes_synth.fit_many`.

    Parameters
    ----------
    panel, model
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    labels
        Name the task in tables, by column: ``{"donor": "Utah"}``. They never change an answer.
    draws, tune, chains, target_accept, sampler
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    largest_r_hat, least_ess
        Largest R-hat and smallest effective sample size with which the average effect and the
        noise's parameters count as converged; the defaults are those of a fit.

    Attributes
    ----------
    key : str
        Digest of everything that decides the answer: the panel's numbers, labels and start, the
        model, and the sizes.

    Raises
    ------
    OptionError
        O001 when ``panel`` or ``model`` is of another type, or the sampler is unknown; O010 for
        sizes that are too small.
    PriorError
        O006 for a prior of your own whose ``repr`` holds an address in memory: two processes would
        give it different keys.

    Examples
    --------
    >>> task = bs.FitTask(
    ...     panel, bs.SyntheticControl(calibrate=False), {"city": "Leeds"}, draws=200
    ... )
    >>> dict(task.labels)
    {'city': 'Leeds'}
    """

    panel: Panel
    model: SyntheticControl = SyntheticControl()
    labels: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.99
    sampler: Literal["auto", "slice", "nutpie", "pymc"] = "auto"
    largest_r_hat: float = FIT.r_hat
    least_ess: float = FIT.ess
    key: str = field(init=False)

    def __post_init__(self) -> None:
        for name, kind in {"panel": Panel, "model": SyntheticControl}.items():
            if not isinstance(getattr(self, name), kind):
                got = type(getattr(self, name)).__name__
                raise OptionError(
                    "O001", f"{name} of a FitTask must be a bs.{kind.__name__}, got {got}."
                )
        object.__setattr__(self, "labels", tuple(dict(self.labels).items()))
        self.settings(0)
        content = self._content()
        if " at 0x" in content:
            raise PriorError(
                "O006",
                "a prior of your own must print as its numbers, got an address in memory, by which "
                "two processes would not recognise it: give its class a __repr__ that names them.",
            )
        object.__setattr__(self, "key", hashlib.sha256(content.encode()).hexdigest())

    def _content(self) -> str:
        sizes = tuple(getattr(self, name) for name in CONTENT)
        start = short(self.panel.start)
        return json.dumps(
            [fingerprint(self.panel), start, to_spec(self.model), to_spec(sizes)],
        )

    @property
    def size(self) -> Size:
        """Return how much the fit samples."""
        return Size(self.draws, self.tune, self.chains, self.target_accept)

    @property
    def standard(self) -> Standard:
        """Return what passes as converged."""
        return Standard(self.largest_r_hat, self.least_ess)

    def seed(self, random_seed: int) -> int:
        """Return the fit's own seed.

        It depends on the task's content and on the batch's ``random_seed``, not on other tasks.
        """
        return entropy(np.random.SeedSequence([random_seed, int(self.key, 16)]))

    def settings(self, seed: int) -> Settings:
        """Return how to sample with this ``seed``: on one core, because tasks run side by side."""
        return Settings.checked(self.size, sampler=self.sampler, cores=1, random_seed=seed)


def named(panels: Mapping[Any, Panel | FitTask]) -> list[FitTask]:
    """Make a task of every panel, labelled by its ``name``; a task keeps its own labels too.

    Raises
    ------
    OptionError
        O001 for a value that is neither a panel nor a task.
    """
    return [_named(name, panel) for name, panel in panels.items()]


def _named(name: Any, panel: Panel | FitTask) -> FitTask:
    if isinstance(panel, FitTask):
        return replace(panel, labels={"name": name} | dict(panel.labels))
    if isinstance(panel, Panel):
        return FitTask(panel, labels={"name": name})
    raise OptionError(
        "O001",
        f"fit_many() takes a bs.Panel or a bs.FitTask by name, got {type(panel).__name__} for "
        f"{name!r}; make a panel with bs.Panel.from_long(...).",
    )
