"""Shipped, fetched and simulated panels."""

import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import bayes_synth as bs
from bayes_synth import datasets
from bayes_synth.data.simulate import simulate
from bayes_synth.errors import LoadError, OptionError, PanelError
from bayes_synth.results.simplex import simplex_least_squares

SIZES = {
    "prop99": (38, 19, 12),
    "texas": (50, 8, 8),
    "castle": (29, 6, 5),
    "geo_test": (23, 90, 28),
}
FILES = {"germany": "germany.csv", "basque": "basque.csv", "geolift": "geolift_test.csv"}


@pytest.mark.parametrize("name", SIZES)
def test_shipped_panels_have_their_size(name):
    panel = bs.load_dataset(name)
    assert (len(panel.donors), len(panel.pre), len(panel.post)) == SIZES[name]


def test_proposition_99_has_the_public_figures(public):
    theirs = public("prop99").pivot(index="year", columns="state", values="cigsale")
    assert np.array_equal(bs.load_dataset("prop99").outcomes.to_numpy(), theirs.to_numpy())


def test_every_dataset_names_source_licence_and_citation():
    designs = [*datasets.SHIPPED.values(), *(remote.design for remote in datasets.FETCHED.values())]
    assert all(design.source and design.licence and design.citation for design in designs)


def test_an_unknown_dataset_lists_what_there_is():
    with pytest.raises(
        PanelError,
        match=r"P003\] name must be that of a dataset, got 'prop9'. Did you mean 'prop99'",
    ):
        bs.load_dataset("prop9")


def test_a_dataset_to_fetch_says_so():
    with pytest.raises(PanelError, match=r"bs.fetch_dataset\('germany'\)"):
        bs.load_dataset("germany")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A local address that serves a folder."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.parametrize("name", FILES)
def test_fetched_panels_are_checked_and_kept(name, server, public, monkeypatch, tmp_path):
    folder, address = server
    public(FILES[name].removesuffix(".csv")).to_csv(folder / FILES[name], index=False)
    monkeypatch.setitem(
        datasets.FETCHED, name, replace(datasets.FETCHED[name], address=address + FILES[name])
    )
    first = bs.fetch_dataset(name, cache=tmp_path / "cache")
    (folder / FILES[name]).unlink()
    assert bs.fetch_dataset(name, cache=tmp_path / "cache") == first


def test_changed_figures_are_refused(server, public, monkeypatch, tmp_path):
    folder, address = server
    table = public("germany")
    table.loc[0, "gdp"] += 1
    table.to_csv(folder / "germany.csv", index=False)
    monkeypatch.setitem(
        datasets.FETCHED,
        "germany",
        replace(datasets.FETCHED["germany"], address=address + "germany.csv"),
    )
    with pytest.raises(LoadError, match=r"L001\] the figures at"):
        bs.fetch_dataset("germany", cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", "a,b\n1,2\n\n1,2,3\n"], ids=["empty", "columns", "no table"]
)
def test_a_file_of_something_else_is_refused_and_named(content, server, monkeypatch, tmp_path):
    folder, address = server
    (folder / "page.csv").write_text(content)
    monkeypatch.setitem(
        datasets.FETCHED,
        "germany",
        replace(datasets.FETCHED["germany"], address=address + "page.csv"),
    )
    with pytest.raises(
        LoadError, match=r"(?s)L001\] the figures at.*Delete .*cache.page\.csv and try again"
    ):
        bs.fetch_dataset("germany", cache=tmp_path / "cache")


@pytest.mark.parametrize("name", FILES)
def test_row_order_does_not_change_a_digest(name, public):
    remote = datasets.FETCHED[name]
    table = public(FILES[name].removesuffix(".csv"))
    assert datasets.digest(remote.panel(table[::-1])) == remote.sha256


def test_an_unknown_dataset_to_fetch_is_refused():
    with pytest.raises(
        PanelError,
        match=r"P003\] name must be that of a dataset, got 'germny'. Did you mean 'germany'",
    ):
        bs.fetch_dataset("germny")


def test_a_shipped_dataset_need_not_be_fetched():
    with pytest.raises(PanelError, match=r"bs.load_dataset\('texas'\)"):
        bs.fetch_dataset("texas")


def test_the_national_total_is_left_out_of_the_basque_donors(public):
    assert "Spain (Espana)" not in datasets.FETCHED["basque"].panel(public("basque")).donors


def test_the_geo_test_holds_the_simulation_that_its_source_names():
    simulated = simulate(
        donors=23, pre=90, post=28, factors=3, active=4, level=2000.0, spread=600.0, noise=60.0,
        drift=8.0, effect=120.0, start="2025-05-01", season=0.08, random_seed=20250501,
    )  # fmt: skip
    shipped = bs.load_dataset("geo_test").treated_outcome.to_numpy()
    np.testing.assert_allclose(shipped, simulated.panel.treated_outcome.to_numpy(), atol=0.51)


def test_simplex_least_squares_on_proposition_99_gives_the_known_effect(prop99):
    before = {"time": prop99.pre.to_numpy()}
    donors, treated = prop99.donor_outcomes, prop99.treated_outcome
    weights = simplex_least_squares(donors.sel(before).to_numpy(), treated.sel(before).to_numpy())
    gap = treated.to_numpy() - donors.to_numpy() @ weights
    assert gap[len(prop99.pre) :].mean() == pytest.approx(-19.5136, abs=1e-3)


def test_an_address_that_does_not_answer_is_explained(server, monkeypatch, tmp_path):
    _, address = server
    monkeypatch.setitem(
        datasets.FETCHED,
        "germany",
        replace(datasets.FETCHED["germany"], address=address + "absent.csv"),
    )
    with pytest.raises(LoadError, match=r"L007.*cannot be reached"):
        bs.fetch_dataset("germany", cache=tmp_path / "cache")


def test_a_simulated_panel_is_its_truth_plus_the_effect():
    simulated = simulate(effect=np.arange(20.0), random_seed=1)
    gap = simulated.panel.treated_outcome - simulated.untreated
    np.testing.assert_allclose(gap[-20:], np.arange(20.0), atol=1e-9)
    np.testing.assert_allclose(gap[:-20], 0, atol=1e-9)


def test_simulated_weights_are_sparse_and_sum_to_one():
    weights = simulate(donors=12, active=4, random_seed=2).weights
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).sum() == 4


def test_without_noise_the_treated_unit_is_the_weighted_average():
    simulated = simulate(noise=0.0, random_seed=3)
    synthetic = simulated.panel.donor_outcomes.to_numpy() @ simulated.weights.to_numpy()
    np.testing.assert_allclose(simulated.untreated, synthetic, rtol=1e-12)


def test_equal_seeds_give_equal_panels():
    assert (
        simulate(random_seed=4, start="2024-03-01").panel
        == simulate(random_seed=4, start="2024-03-01").panel
    )


@pytest.mark.parametrize(
    "options", [{"donors": 0}, {"pre": 2}, {"noise": -1.0}, {"active": 30}, {"effect": [1.0, 2.0]}]
)
def test_unusable_simulations_are_refused(options):
    with pytest.raises(OptionError, match="O010"):
        simulate(**options)
