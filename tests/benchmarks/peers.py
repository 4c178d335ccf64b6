"""Other libraries' intervals, each from an environment of its own. Standard library only."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ENVIRONMENTS, caches, environment, run_worker


@dataclass(frozen=True)
class Peer:
    """A library: its environment's name below ``ENVIRONMENTS``, what goes into it, and its
    interval.
    """

    name: str
    requirements: tuple[str, ...]
    method: str

    @property
    def folder(self) -> Path:
        """Where its environment is."""
        return ENVIRONMENTS / self.name


PEERS = {
    "causalimpact": Peer(
        "causalimpact",
        ("bsts-causalimpact==1.7.*",),
        "local level and spike-and-slab regression on the donors; equal-tailed interval",
    ),
    "causalpy": Peer(
        "causalpy-0.9",
        ("causalpy==0.9.*", "pymc<6", "numpy<2.4"),
        "uniform Dirichlet weights and independent noise; HDI of the average effect",
    ),
    "augsynth": Peer(
        "augsynth",
        ("augsynth-py==0.6.*",),
        "ridge-augmented synthetic control; conformal interval for a constant effect",
    ),
    "scpi": Peer(
        "scpi",
        ("scpi_pkg==4.0.*", "pandas<3"),
        "simplex weights; prediction interval with sub-Gaussian bounds",
    ),
    "pysyncon": Peer("pysyncon", ("pysyncon==1.7.*",), "no interval for the average effect"),
}


def intervals(peer: str, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer per job, all from one process of the peer's environment, made unless it is there.

    A job has ``outcome`` (T numbers), ``donors`` (T rows of J numbers) and ``pre`` (how many of the
    T periods come before the treatment). An answer has ``mean``, ``lower`` and ``upper`` of the
    average effect, nominally 95 %, or the ``reason`` why there are none; further the ``seconds`` it
    took and, where the peer gave any, ``warnings``.
    """
    chosen = PEERS[peer]
    python = environment(chosen.folder, chosen.requirements)
    with tempfile.TemporaryDirectory() as scratch:
        # A command line would not hold them.
        path = Path(scratch) / "jobs.json"
        path.write_text(json.dumps(jobs))
        task = {"peer": peer, "jobs": str(path)}
        return run_worker(python, "peer_worker.py", task, env=caches(chosen.folder / "compiled"))[
            "answers"
        ]
