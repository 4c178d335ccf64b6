"""How a fit was made, as the JSON text that its file carries: specification, data, seed and versions."""

import json
from dataclasses import asdict
from typing import Any

from bayes_synth.data.panel import Panel
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.results.record import Attempt, RunRecord
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.storage.digests import fingerprint
from bayes_synth.storage.specs import to_spec
from bayes_synth.words import short

__all__ = ["SCHEMA", "provenance", "record_of"]

SCHEMA = 3
SIZE = ("draws", "tune", "chains", "target_accept")
HOW = ("sampler", "cores", "random_seed", "progressbar", "attempt")


def provenance(model: AbstractSyntheticControl, panel: Panel, record: RunRecord) -> str:
    """Everything needed to repeat a fit, as JSON text."""
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
            "sha256": fingerprint(panel),
        },
        "sampling": _sampling(record),
    }
    return json.dumps(facts)


def _sampling(record: RunRecord) -> dict[str, Any]:
    settings = record.settings
    return {
        **asdict(settings.size),
        **{name: getattr(settings, name) for name in HOW},
        "sampled_by": record.sampled_by,
        "compile_seconds": record.compile_seconds,
        "seconds": record.seconds,
        "kept": {"chains": record.chains, "draws": record.draws},
        "calibration_stopped": record.calibration_stopped,
        "attempts": [each._asdict() for each in record.attempts],
        "warnings": list(record.warnings),
        "partial": list(record.partial),
    }


def record_of(facts: dict[str, Any]) -> RunRecord:
    """The record back from the facts of a file."""
    said = facts["sampling"]
    size = Size(**{name: said[name] for name in SIZE})
    attempts = (
        Attempt(**each | {"problems": tuple(each["problems"])}) for each in said["attempts"]
    )
    return RunRecord(
        Settings(size, **{name: said[name] for name in HOW if name in said}),
        said["sampled_by"],
        said["kept"]["chains"],
        said["kept"]["draws"],
        said["compile_seconds"],
        said["seconds"],
        tuple(attempts),
        tuple(said["partial"]),
        said["calibration_stopped"],
        tuple(said["warnings"]),
        dict(facts["versions"]),
    )
