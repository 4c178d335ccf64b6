"""Where the starts of a plan are refitted: here, in processes, on Dask or Ray; kept or not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import joblib

from bayes_synth.data.history import PlanOptions
from bayes_synth.data.panel import Panel
from bayes_synth.fitting.placebos import Refits
from bayes_synth.fitting.pool import elsewhere, jobs, require_backend
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.bank_store import BankStore
from bayes_synth.planning.told import Told, refits_ahead, refits_at
from bayes_synth.sampling.progress import bar
from bayes_synth.sampling.settings import Settings

__all__ = ["HERE", "Workers"]


class Workers(NamedTuple):
    """Say where starts are refitted, and where their refits are kept.

    Parameters
    ----------
    backend, n_jobs
        As in :func:`bayes_synth.fit_many`; a start is one task. None for both: the starts one after
        the other, their refits in threads.
    store
        A folder; None keeps nothing.
    """

    backend: str | None = None
    n_jobs: int | None = None
    store: BankStore | None = None

    @classmethod
    def checked(cls, options: PlanOptions) -> Self:
        """Read the options of a plan that concern workers.

        Raises
        ------
        OptionError
            O001 and O055 as in :func:`bayes_synth.fit_many`.
        """
        backend, store = options.get("backend"), options.get("store")
        require_backend(backend)
        return cls(
            backend, options.get("n_jobs"), None if store is None else BankStore(Path(store))
        )

    @property
    def elsewhere(self) -> bool:
        """Tell whether a backend of joblib was asked for, here or by its context."""
        return elsewhere(self.backend, self.n_jobs)

    def refitted(
        self,
        model: AbstractSyntheticControl,
        panels: Mapping[int, Panel],
        periods: Sequence[int],
        settings: Settings,
    ) -> Iterator[tuple[int, Refits[Told]]]:
        """Yield the refits of every start as they come, those that are kept first.

        Parameters
        ----------
        model, panels, periods, settings
            As in :func:`bayes_synth.planning.bank.bank_of`.

        Raises
        ------
        KeyboardInterrupt
            After an interrupt; starts that were ready are kept.
        """
        paths = {
            start: self.store.path(model, panel, periods, settings)
            for start, panel in panels.items()
            if self.store is not None
        }
        left = dict(panels)
        for start, path in paths.items():
            known = self.store.read(path) if self.store is not None else None
            if known is not None:
                del left[start]
                yield start, known
        for start, refits in self._made(model, left, periods, settings):
            if refits.stopped:
                raise KeyboardInterrupt
            if self.store is not None:
                self.store.write(paths[start], refits)
            yield start, refits

    def _made(
        self,
        model: AbstractSyntheticControl,
        panels: Mapping[int, Panel],
        periods: Sequence[int],
        settings: Settings,
    ) -> Iterator[tuple[int, Refits[Told]]]:
        if not self.elsewhere:
            for start, panel in panels.items():
                yield start, refits_at(model, panel, periods, settings)
            return
        one = replace(settings, cores=1, progressbar=False)
        calls = (joblib.delayed(_at)(start, model, p, periods, one) for start, p in panels.items())
        count, shown = refits_ahead(model, panels), bool(settings.progressbar)
        with bar("Calibrating on the donors", count, shown=shown) as counted:
            for start, refits in self._pool()(calls):
                counted.tick(len(refits.answers))
                yield start, refits

    def _pool(self) -> Any:
        """Return joblib's pool, which gives answers as they come where its backend can."""
        options = {"n_jobs": jobs(self.n_jobs)} | (
            {"backend": self.backend} if self.backend is not None else {}
        )
        try:
            return joblib.Parallel(return_as="generator_unordered", **options)
        except ValueError:
            return joblib.Parallel(return_as="list", **options)


def _at(
    start: int,
    model: AbstractSyntheticControl,
    panel: Panel,
    periods: Sequence[int],
    settings: Settings,
) -> tuple[int, Refits[Told]]:
    return start, refits_at(model, panel, periods, settings)


HERE = Workers()
"""One start after the other, in threads of this process; nothing is kept."""
