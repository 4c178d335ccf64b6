"""Refuse a fit whose draws would take too much memory, before it takes any.

The operating system is asked what is available; where it does not say (Windows), nothing is
refused.
"""

import os
from collections.abc import Callable
from pathlib import Path

from bayes_synth.data.panel import Panel
from bayes_synth.errors import SamplingFailed
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.settings import Size

__all__ = ["available", "container_limit", "draw_bytes", "free_memory", "require_memory"]

SHARE = 0.25
"""The draws may take this share of the available memory; the rest is for working copies, whose size
has not been measured."""
SCALARS = 28
"""So many numbers per draw do not grow with the panel: noise, its prior density, effects, kappa,
sampler statistics."""


def require_memory(model: AbstractSyntheticControl, panel: Panel, size: Size) -> None:
    """Refuse a fit whose draws would take more than :data:`SHARE` of the available memory.

    Raises
    ------
    SamplingFailed
        S005, with the number of draws that would fit.
    """
    free = available()
    per_draw = draw_bytes(model, panel, size.chains)
    needed = per_draw * size.draws * size.chains
    if free is None or needed <= SHARE * free:
        return
    limit, fitting = SHARE * free, int(SHARE * free / per_draw / size.chains)
    raise SamplingFailed(
        "S005",
        f"{size.chains} chains of {size.draws} draws of {len(panel.donors)} donors and "
        f"{len(panel.times)} periods would take {needed / 1e9:.2g} GB; the limit is "
        f"{limit / 1e9:.2g} GB, {SHARE:.0%} of the available memory.\n"
        f"  Up to {fitting} draws per chain fit: pass draws=..., or use fewer periods.",
    )


def draw_bytes(model: AbstractSyntheticControl, panel: Panel, chains: int) -> float:
    """Count the bytes of one draw of one chain in all groups of a fit.

    The draw's share of the groups of the prior is included.
    """
    donors, pre, post = len(panel.donors), len(panel.pre), len(panel.post)
    # Replicates, and the log likelihood or (Student-t noise) one precision per period.
    before = 2 * pre
    # The counterfactual and the effect, and the counterfactual before it is calibrated.
    after = (3 if model.calibration else 2) * post
    covariates = 0 if panel.covariates is None else len(panel.covariates.names)
    outcomes = 1 if panel.auxiliary is None else 1 + len(panel.auxiliary.names)
    numbers = donors + before + after + covariates + SCALARS + (donors + pre) / chains
    return 8 * outcomes * numbers


def free_memory() -> float | None:
    """Ask the system how many bytes are free; None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(
            1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")
        )
    except (OSError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None


def container_limit(path: str = "/sys/fs/cgroup/memory.max") -> float | None:
    """Read a container's limit in bytes, which the system's figure ignores; None without one."""
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):
        return None


def available(*sources: Callable[[], float | None]) -> float | None:
    """Return how many bytes may be taken without swapping; None where the system does not say.

    Parameters
    ----------
    sources
        Where to ask; the smallest answer holds. Default: the system and the container.
    """
    limits = [source() for source in sources or (free_memory, container_limit)]
    return min((limit for limit in limits if limit is not None), default=None)
