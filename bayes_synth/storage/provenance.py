"""How a fit was made, as the JSON text that its file carries.

The text has the specification, the names and the digest of the data, the seed and the versions.
"""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.data.predictors import PredictorTable
from bayes_synth.data.times import time_label
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.record import Attempt, RunRecord
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.storage.digests import fingerprint
from bayes_synth.storage.specs import to_spec
from bayes_synth.words import short

__all__ = ["OLDEST", "SCHEMA", "current", "predictors_of", "provenance", "record_of"]

OLDEST, SCHEMA = 3, 5
"""Files from schema 3 on are read; schema 4 has the calibration in two parts, 5 has predictors."""
SIZE_FIELDS = ("draws", "tune", "chains", "target_accept")
SETTINGS_FIELDS = ("sampler", "cores", "random_seed", "progressbar", "attempt")


def provenance(model: AbstractSyntheticControl, panel: Panel, record: RunRecord) -> str:
    """Write down everything that is needed to repeat a fit, as JSON text."""
    facts = {
        "schema": SCHEMA,
        "versions": dict(record.versions),
        "model": to_spec(model),
        "panel": {
            "treated": list(panel.treated),
            "start": short(panel.start),
            "unit": panel.unit,
            "time": panel.time,
            "outcome": panel.outcome,
            "zone": asdict(panel.zone),
            "predictors": _predictor_facts(panel.predictors),
            "sha256": fingerprint(panel),
        },
        "sampling": _sampling_facts(record),
    }
    return json.dumps(facts)


def current(facts: dict[str, Any]) -> dict[str, Any]:
    """Add to the facts of an older schema what it took for granted.

    In schema 3 kappa had five degrees of freedom, pooling went half-way, errors did not grow beyond
    what the model says and the prior on ``q`` was as stated.
    """
    if facts["schema"] >= 4:
        return facts
    fixed = Calibration(
        degrees_of_freedom=5.0, pooling=0.5, growth_sd=0.0, q_factors=(1.0,), q_probabilities=(1.0,)
    )
    model = dict(facts["model"])
    if model.get("calibrate") is True:
        model["calibrate"] = to_spec(fixed)
    elif isinstance(model.get("calibrate"), dict):
        model["calibrate"] = to_spec(fixed) | model["calibrate"]
    return facts | {"model": model}


def _predictor_facts(table: PredictorTable | None) -> dict[str, Any] | None:
    """Write predictors as lists; what is missing is None."""
    if table is None:
        return None
    numbers = table.series.astype(object).where(table.series.notnull(), None)
    return {
        "names": list(table.names),
        "times": [short(time) for time in table.series.indexes["time"]],
        "units": table.series["unit"].values.tolist(),
        "numbers": numbers.to_numpy().tolist(),
    }


def predictors_of(facts: dict[str, Any] | None, times: pd.Index) -> PredictorTable | None:
    """Rebuild predictors from the facts of a file; ``times`` are those of the outcomes."""
    if facts is None:
        return None
    labels = [time_label(text, times, what="predictors") for text in facts["times"]]
    coords = {"predictor": facts["names"], "time": labels, "unit": facts["units"]}
    numbers = np.array(facts["numbers"], dtype=float).reshape([len(c) for c in coords.values()])
    return PredictorTable(xr.DataArray(numbers, dims=tuple(coords), coords=coords))


def _sampling_facts(record: RunRecord) -> dict[str, Any]:
    settings = record.settings
    return {
        **asdict(settings.size),
        **{name: getattr(settings, name) for name in SETTINGS_FIELDS},
        "sampled_by": record.sampled_by,
        "compile_seconds": record.compile_seconds,
        "seconds": record.seconds,
        "kept": {"chains": record.chains, "draws": record.draws},
        "calibration_stopped": record.calibration_stopped,
        "attempts": [attempt._asdict() for attempt in record.attempts],
        "warnings": list(record.warnings),
        "scale_choice": record.scale_choice,
        "partial": list(record.partial),
    }


def record_of(facts: dict[str, Any]) -> RunRecord:
    """Rebuild the record of a run from the facts of a file.

    The first files of schema 3 do not name the sampler that ran, attempts, interrupts or warnings.
    """
    sampling = facts["sampling"]
    size = Size(**{name: sampling[name] for name in SIZE_FIELDS})
    settings = {name: sampling[name] for name in SETTINGS_FIELDS if name in sampling}
    kept = sampling.get("kept", sampling)
    return RunRecord(
        settings=Settings(size, **settings),
        sampled_by=sampling.get("sampled_by", sampling["sampler"]),
        chains=kept["chains"],
        draws=kept["draws"],
        compile_seconds=sampling["compile_seconds"],
        seconds=sampling["seconds"],
        attempts=tuple(
            Attempt(**attempt | {"problems": tuple(attempt["problems"])})
            for attempt in sampling.get("attempts", ())
        ),
        partial=tuple(sampling.get("partial", ())),
        calibration_stopped=sampling.get("calibration_stopped", ""),
        warnings=tuple(sampling.get("warnings", ())),
        scale_choice=sampling.get("scale_choice", ""),
        versions=dict(facts["versions"]),
    )
