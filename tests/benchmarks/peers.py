"""Other libraries' intervals, each from an environment of its own. Standard library only."""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ENVIRONMENTS, caches, environment, run_worker


@dataclass(frozen=True)
class Peer:
    """A library: its environment's name below ``ENVIRONMENTS``, what goes into it, its interval,
    what it cannot do, and its share of the placebos, below one where a fit takes long.
    """

    name: str
    package: str
    module: str
    requirements: tuple[str, ...]
    method: str
    cannot: str
    share: float = 1

    @property
    def folder(self) -> Path:
        """Where its environment is."""
        return ENVIRONMENTS / self.name

    def python(self) -> Path:
        """Python of its environment, made now unless it is there; ours without requirements."""
        if not self.requirements:
            return Path(sys.executable)
        return environment(self.folder, self.requirements)


OURS = Peer(
    "bayes_synth",
    "bayes_synth",
    "bayes_synth",
    (),
    "default settings: sparse Dirichlet weights, a level that drifts, intervals calibrated on the "
    "donors; median and equal-tailed interval",
    "other estimators (difference-in-differences, matrix completion); treatments that end; a fit "
    "in under a second, because the donors are refitted",
)
PEERS = {
    "causalimpact": Peer(
        "causalimpact",
        "bsts-causalimpact",
        "causal_impact",
        ("bsts-causalimpact==1.7.*",),
        "local level and spike-and-slab regression on the donors; equal-tailed interval",
        "weights on a simplex; several treated units; convergence diagnostics (one chain); "
        "planning; missing outcomes of the treated unit",
    ),
    "causalpy": Peer(
        "causalpy-0.9",
        "causalpy",
        "causalpy",
        ("causalpy==0.9.*", "pymc<6", "numpy<2.4"),
        "uniform Dirichlet weights and independent noise; HDI of the average effect",
        "intervals with the noise of the outcome; an intercept; missing outcomes; an average over "
        "several treated units; saving a fit",
        share=1 / 12,
    ),
    "augsynth": Peer(
        "augsynth",
        "augsynth-py",
        "augsynth_py",
        ("augsynth-py==0.6.*",),
        "ridge-augmented synthetic control; conformal interval for a constant effect",
        "an interval where the test cannot reject within its grid; staggered starts; predictors; "
        "missing outcomes; plots",
        share=1 / 24,
    ),
    "scpi": Peer(
        "scpi",
        "scpi_pkg",
        "scpi_pkg.scpi",
        ("scpi_pkg==4.0.*", "pandas<3"),
        "simplex weights; prediction interval with sub-Gaussian bounds",
        "donors that are constant before the treatment; placebos; planning; saving a fit",
    ),
    "mlsynth": Peer(
        "mlsynth",
        "mlsynth",
        "mlsynth",
        ("mlsynth==1.0.*",),
        "simplex weights; debiased t-test with three folds, the one interval of the average "
        'effect that `VanillaSC` has (`inference="ttest"`; its default is a placebo rank)',
        "missing outcomes; leaving a donor out; posterior draws (of its 46 estimators one other "
        "has them)",
    ),
    "diff-diff": Peer(
        "diff-diff",
        "diff-diff",
        "diff_diff",
        ("diff-diff==3.13.*",),
        "synthetic difference-in-differences; normal interval from 200 placebo replications",
        "posterior draws; treated units with their own starts (in `SyntheticDiD`)",
    ),
    "pysyncon": Peer(
        "pysyncon",
        "pysyncon",
        "pysyncon",
        ("pysyncon==1.7.*",),
        "ridge-augmented synthetic control; no interval for the average effect",
        "an interval of the average effect; treated units with their own starts; planning",
        share=1 / 48,
    ),
    "causal-marketing": Peer(
        "causal-marketing",
        "causal-marketing",
        "causal_marketing",
        ("causal-marketing==0.1.*",),
        "GeoLift's demeaned synthetic control in Python; a conformal p-value",
        "an interval (`compute_ci` is reserved for a later release); staggered starts",
        share=1 / 48,
    ),
}
EVERY = {OURS.name: OURS, **PEERS}
PLANNERS = {
    "bayes_synth": OURS,
    "causal-marketing": PEERS["causal-marketing"],
    "geoexp": Peer(
        "geoexp",
        "geoexp",
        "geoexp",
        ("geoexp==0.3.*",),
        "power of augsynth-py's test on ten past windows, effects added by simulation",
        "constraints beyond included and excluded units; the analysis that follows",
    ),
    "meridian-geox": Peer(
        "meridian-geox",
        "meridian-geox",
        "meridian_geox",
        ("meridian-geox==1.0.*",),
        "time-based regression; one detectable effect from the spread of 100 candidates' placebos",
        "a number of treated units (it fills a share of the outcome, here its default of 30 %); "
        "histories shorter than three tests",
    ),
}


def intervals(
    peer: str, jobs: list[dict[str, Any]], limit: float | None = None
) -> list[dict[str, Any]]:
    """One answer per job, all from one process of the peer's environment, made unless it is there.

    A job has ``outcome`` (T numbers), ``donors`` (T rows of J numbers) and ``pre`` (how many of the
    T periods come before the treatment). An answer has ``estimate``, ``lower`` and ``upper`` of the
    average effect, nominally 95 %, or the ``reason`` why there is no interval; further the
    ``seconds`` it took and those of ``cpu``, without the import of the package; the largest
    ``memory`` of the process so far (MB), the ``version`` and, where the peer gave any,
    ``warnings``.
    """
    return ask(EVERY[peer], "peer_worker.py", {"peer": peer, "jobs": jobs}, limit)["answers"]


def ask(chosen: Peer, script: str, task: Mapping[str, Any], limit: float | None) -> dict[str, Any]:
    """Run a worker in the peer's environment; its jobs go by file: a command line has no room."""
    python = chosen.python()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "jobs.json"
        path.write_text(json.dumps(task["jobs"]))
        names = {"package": chosen.package, "module": chosen.module}
        short = {**task, **names, "jobs": str(path)}
        compiled = caches(chosen.folder / "compiled") if chosen.requirements else {}
        return run_worker(python, script, short, env=compiled, limit=limit)
