"""Measure whether a second attempt mends fits whose draws mix slowly, and what it costs.

``uv run python tests/benchmarks/second_attempts.py [--most N]`` fits placebos of Proposition 99
with few draws, by slices and by nutpie. Fits whose only trouble is mixing are sampled again: with
the settings of a second attempt and, for comparison, with the same settings and another seed. The
table is written into ``docs/performance.md``.
"""

import argparse
import time
from dataclasses import replace

from common import footer, table, write_between

import bayes_synth as bs
from bayes_synth.fitting.fit_panel import Prepared
from bayes_synth.model.problem import Problem
from bayes_synth.results.convergence import convergence_of, watched
from bayes_synth.sampling.sample import sample
from bayes_synth.sampling.settings import Settings, Size

FIRST = {"slice": Size(300, 100, 4, 0.95), "nutpie": Size(300, 300, 4, 0.95)}


def judged(problem, settings):
    """The verdict on one attempt, and its seconds."""
    began = time.perf_counter()
    seed, rng = settings.streams()
    sampled = sample(problem, settings, seed)
    seconds = time.perf_counter() - began
    idata = Prepared(problem).assemble(settings, sampled, rng)
    quantities = watched(problem.panel, problem.model, idata)
    return convergence_of(quantities, sampled.sample_stats), seconds


def row(problems, sampler):
    """Counts and mean seconds of one sampler."""
    counts = dict.fromkeys(("fits", "mixing only", "mended", "mended by another seed"), 0)
    first_seconds, second_seconds = [], []
    for number, problem in enumerate(problems):
        settings = Settings.checked(FIRST[sampler], sampler=sampler, cores=2, random_seed=number)
        verdict, seconds = judged(problem, settings)
        counts["fits"] += 1
        first_seconds.append(seconds)
        if not verdict.problems or verdict.steps:
            continue
        counts["mixing only"] += 1
        second, seconds = judged(problem, settings.stricter())
        second_seconds.append(seconds)
        counts["mended"] += not second.problems
        other, _ = judged(problem, replace(settings, random_seed=1000 + number))
        counts["mended by another seed"] += not other.problems
    mean = {
        "seconds, first": f"{sum(first_seconds) / len(first_seconds):.2f}",
        "seconds, second": f"{sum(second_seconds) / max(1, len(second_seconds)):.2f}",
    }
    return {"sampler": sampler, **counts, **mean}


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=38, help="placebos per sampler")
    options = parser.parse_args()
    model = bs.SyntheticControl(calibrate=False)
    whole = Problem.of(model, bs.load_dataset("prop99"))
    problems = [whole.as_if_treated([donor]) for donor in whole.donors[: options.most]]
    rows = [row(problems, sampler) for sampler in FIRST]
    command = f"uv run python tests/benchmarks/second_attempts.py --most {options.most}"
    write_between("performance.md", "second_attempts", f"{table(rows)}\n\n{footer(command)}")


if __name__ == "__main__":
    main()
