"""Coverage scoreboard: do 95 % intervals hold the truth in 95 % of the units that had no effect?

``python tests/benchmarks/scoreboard.py`` runs the short mode (Germany, Basque and the negative
control, under ten minutes); ``--full`` runs every panel, prior and design. Each answer is one line
of a file under ``--store``: a run that was stopped goes on where it left off. ``--report`` only
writes ``docs/calibration.md`` from the store.
"""

import argparse
from pathlib import Path

from coverage_report import control_covers, scored, write
from coverage_runs import DESIGNS, FITS, PANELS, read, real_jobs, simulated_jobs, work
from coverage_scores import MODELS, NEGATIVE

STORE = Path.home() / ".cache" / "bayes_synth" / "coverage"
SHORT = ("Germany", "Basque 1970", "Basque 1975")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="every panel, model and design")
    parser.add_argument(
        "--report", action="store_true", help="write the page from what is stored, run nothing"
    )
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--panels", nargs="*", help="only these panels", choices=[*PANELS, "none"])
    parser.add_argument("--models", nargs="*", help="only these models", choices=list(MODELS))
    parser.add_argument(
        "--designs", nargs="*", help="only these designs", choices=[*DESIGNS, "none"]
    )
    parser.add_argument(
        "--replications", type=int, help="of every design, instead of its own number"
    )
    parser.add_argument("--minutes", type=float, default=300, help="start no fit after so many")
    options = parser.parse_args()
    panels = tuple(p for p in options.panels or (PANELS if options.full else SHORT) if p != "none")
    models = tuple(options.models or (MODELS if options.full else ("default", NEGATIVE)))
    designs = tuple(d for d in options.designs or (DESIGNS if options.full else ()) if d != "none")
    if not options.report:
        work(
            real_jobs(panels, models) + simulated_jobs(designs, options.replications),
            options.store,
            options.minutes,
        )
    fits = scored(list(read(options.store / FITS)))
    write(fits)
    if control_covers(fits):
        raise SystemExit(
            f"The negative control ({NEGATIVE}) covers as well as a calibrated model: "
            "do not trust this board."
        )


if __name__ == "__main__":
    main()
