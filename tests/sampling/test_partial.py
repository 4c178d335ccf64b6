"""What an interrupted run leaves is cut to chains of one length."""

import numpy as np
import pytest
import xarray as xr

from bayes_synth.errors import SamplingFailed
from bayes_synth.sampling.partial import cut, leading


def padded(*lengths: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Draws that break off after so many, chain by chain, as nutpie returns them."""
    draw = np.broadcast_to(np.arange(max(lengths)), (len(lengths), max(lengths)))
    finite = draw < np.array(lengths)[:, None]
    weights = np.where(finite, draw + 1000.0 * np.arange(len(lengths))[:, None], np.nan)
    dims = ("chain", "draw")
    return xr.Dataset({"weights": ((*dims, "donor"), weights[..., None])}), xr.Dataset(
        {"diverging": (dims, ~finite)}
    )


def test_chains_are_cut_to_the_common_length_that_holds_the_most_draws():
    posterior, stats = cut(*padded(50, 40, 7, 0), chains=4)
    assert posterior["weights"].to_numpy()[:, -1, 0].tolist() == [39, 1039]
    assert (posterior.sizes["chain"], posterior.sizes["draw"]) == (2, 40)
    assert not stats["diverging"].any()


def test_chains_keep_their_order_and_are_numbered_again():
    posterior, stats = cut(*padded(0, 30, 40), chains=3)
    assert posterior["weights"].to_numpy()[:, 0, 0].tolist() == [1000, 2000]
    assert stats["chain"].to_numpy().tolist() == [0, 1]


def test_of_equal_totals_more_chains_are_kept():
    assert cut(*padded(30, 30, 20), chains=3)[0].sizes == {"chain": 3, "draw": 20, "donor": 1}


@pytest.mark.parametrize("lengths", [(500, 0, 0), (500, 3, 3), (3, 3, 3)])
def test_less_than_two_chains_of_four_draws_are_no_posterior(lengths):
    with pytest.raises(
        SamplingFailed, match=r"\[S004\] interrupted when the 3 chains held \[\d+, \d, \d\] draws"
    ):
        cut(*padded(*lengths), chains=3)


def test_who_asked_for_one_chain_keeps_one():
    assert cut(*padded(9), chains=1)[0].sizes["draw"] == 9


def test_draws_after_one_that_is_missing_do_not_count():
    posterior, _ = padded(10)
    posterior["weights"][0, 4] = np.nan
    assert leading(posterior).tolist() == [4]
