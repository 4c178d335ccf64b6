"""Pictures of a joint fit, on three backends."""

import pytest
from small_studies import fake_joint

from bayes_synth.errors import OptionError, ResultError


@pytest.fixture(scope="module")
def joint():
    return fake_joint({"u00": 2010, "u01": 2012, "u02": 2012})


@pytest.mark.parametrize("by", ["event", "time", "treated", "start"])
@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "bokeh", "none"])
def test_every_picture_is_drawn(joint, by, backend):
    assert "effect" in joint.plot(by=by, backend=backend).viz["plot"].to_dataset()


def test_the_title_says_which_average_and_how_many_units(joint):
    figure = joint.plot(backend="matplotlib").viz["figure"].item()
    title = figure.axes[0].get_title().replace("\n", " ")
    assert "mean of 3 units, each once" in title
    assert "3 units at 0 to 7, 1 unit at 8 to 9" in title
    assert "ALARMS" in title
    assert figure.axes[0].get_xlabel() == "periods since each unit's own start"


def test_units_are_drawn_one_row_each(joint):
    figure = joint.plot_units(backend="matplotlib").viz["figure"].item()
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [label[:3] for label in labels] == ["u00", "u01", "u02"]


def test_wishes_that_cannot_be_met(joint):
    with pytest.raises(ResultError, match="R050"):
        joint.plot(by="unit")
    with pytest.raises(OptionError, match="O001"):
        joint.plot(visuals={"nothing": False})
    with pytest.raises(OptionError, match="O004"):
        joint.plot(ci_prob=95)
