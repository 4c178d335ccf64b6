"""Many fits: in threads or processes, on Dask or Ray, in memory or streamed to a folder.

>>> import bayes_synth as bs
>>> tasks = bs.batch.placebos(panel)  # every donor as if it had been treated
>>> result = bs.fit_many(tasks, random_seed=1, progressbar=False)
>>> len(result.table), len(result.failures)
(6, 0)
"""

from bayes_synth.batch.makers import backdates, each_unit, leave_one_out, placebos
from bayes_synth.batch.many import fit_many
from bayes_synth.batch.one import EffectDraws, Failure
from bayes_synth.batch.result import BatchResult
from bayes_synth.batch.task import FitTask

__all__ = [
    "BatchResult",
    "EffectDraws",
    "Failure",
    "FitTask",
    "backdates",
    "each_unit",
    "fit_many",
    "leave_one_out",
    "placebos",
]


def __dir__() -> list[str]:
    return sorted(__all__)
