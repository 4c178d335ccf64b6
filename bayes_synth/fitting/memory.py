"""How much memory the draws of a fit will take, and a refusal before they take too much.

The operating system is asked what is available; where it does not say (Windows), nothing is refused.
"""

import os
from pathlib import Path

from bayes_synth.data.panel import Panel
from bayes_synth.errors import SamplingFailed
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.sampling.settings import Size

__all__ = ["available", "require_memory", "draw_bytes"]

SHARE = 0.25
"""Of the available memory that the draws may take; the rest is for working copies, whose size has not been measured."""
SCALARS = 28
"""Numbers per draw that do not grow with the panel: noise, its prior density, effects, kappa, sampler statistics."""


def require_memory(model: AbstractSyntheticControl, panel: Panel, size: Size) -> None:
    """Refuse with S005 when the fit's draws would take more than :data:`SHARE` of the available memory."""
    free = available()
    each = draw_bytes(model, panel, size.chains)
    needed = each * size.draws * size.chains
    if free is None or needed <= SHARE * free:
        return
    raise SamplingFailed(
        "S005",
        f"{size.chains} chains of {size.draws} draws of {len(panel.donors)} donors and {len(panel.times)} periods "
        f"would take {needed / 1e9:.2g} GB; the limit is {SHARE * free / 1e9:.2g} GB, {SHARE:.0%} of the available memory.\n"
        f"  Up to {int(SHARE * free / each / size.chains)} draws per chain fit: pass draws=..., or use fewer periods.",
    )


def draw_bytes(model: AbstractSyntheticControl, panel: Panel, chains: int) -> float:
    """Bytes that one draw of one chain takes in all groups of a fit, its share of the prior's included."""
    donors, pre, post = len(panel.donors), len(panel.pre), len(panel.post)
    # Replicates, and the log likelihood or (Student-t noise) one precision per period.
    before = 2 * pre
    # The counterfactual and the effect, and the counterfactual before it is calibrated.
    after = (3 if model.calibration else 2) * post
    return 8 * (donors + before + after + SCALARS + (donors + pre) / chains)


def available() -> float | None:
    """Bytes that may be taken without swapping; None where the system does not say."""
    limits = [size for size in (_free(), _control_group()) if size is not None]
    return min(limits, default=None)


def _free() -> float | None:
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


def _control_group(path: str = "/sys/fs/cgroup/memory.max") -> float | None:
    """A container's limit, which the machine's figure does not know."""
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):
        return None
