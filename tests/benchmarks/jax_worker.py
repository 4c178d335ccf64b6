"""JAX's side of ``vs_jax.py``: many panels of one shape at once, blackjax's NUTS under
``jax.vmap``.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from common import answer, job

FLOOR = 1e-3
"""Of the noise's standard deviation, as in the library's model."""


def main() -> None:
    """Compile and run, then run again; the second run's draws go into a file."""
    task = job()
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={task['devices']}"
    import blackjax
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    given = {name: jax.numpy.asarray(values) for name, values in np.load(task["data"]).items()}
    panels, devices = len(given["outcome"]), task["devices"]
    batch = jax.pmap(jax.vmap(jax.vmap(chain(given, task), in_axes=(0, None, None))))

    def split(values: Any) -> Any:
        return values.reshape(devices, panels // devices, *values.shape[1:])

    def run(seed: int) -> tuple[list[Any], float]:
        keys = jax.random.split(jax.random.key(seed), (panels, task["chains"]))
        began = time.perf_counter()
        found = jax.block_until_ready(
            batch(split(keys), split(given["outcome"]), split(given["donors"]))
        )
        return [
            np.asarray(x).reshape(panels, *x.shape[2:]) for x in found
        ], time.perf_counter() - began

    _, first = run(1)
    (weight, scales, divergent), again = run(2)
    np.savez(task["out"], weights=weight, scales=scales)
    versions = {"jax": jax.__version__, "blackjax": blackjax.__version__}
    answer(first=first, again=again, divergences=int(divergent.sum()), versions=versions)


def model(given: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The model: log-gamma form of the Dirichlet, level integrated out in the sine basis."""
    import jax
    import jax.numpy as jnp

    a, walk, column, precision = (
        given[name] for name in ("concentration", "walk", "column", "precision")
    )

    def weights(position: Any) -> Any:
        return jax.nn.softmax(position["log_gamma"] - jnp.exp(position["log_exponential"]) / a)

    def log_density(position: Any, outcome: Any, donors: Any) -> Any:
        scales, residual = jnp.exp(position["log_scales"]), outcome - weights(position) @ donors
        variance = scales[0] ** 2 + FLOOR**2 + scales[1] ** 2 * walk
        information, moment = (
            precision + (column**2 / variance).sum(),
            (column * residual / variance).sum(),
        )
        likelihood = (residual**2 / variance).sum() - moment**2 / information
        likelihood += jnp.log(variance).sum() + jnp.log(information)
        g, e = position["log_gamma"], position["log_exponential"]
        prior = ((a + 1) * g - jnp.exp(g)).sum() + (e - jnp.exp(e)).sum()
        return (
            prior
            - 0.5 * likelihood
            + (position["log_scales"] - 0.5 * (scales / given["prior_sd"]) ** 2).sum()
        )

    return weights, log_density


def chain(given: dict[str, Any], task: dict[str, Any]) -> Callable[..., Any]:
    """One chain of one panel: a start from the prior, tuning, draws of weights and noise
    parameters.
    """
    import blackjax
    import jax
    import jax.numpy as jnp

    a, (weights, log_density) = given["concentration"], model(given)

    def run(key: Any, outcome: Any, donors: Any) -> Any:
        one, two, three, tuning, sampling = jax.random.split(key, 5)
        start = {
            "log_gamma": jnp.log(jax.random.gamma(one, a + 1)),
            "log_exponential": jnp.log(jax.random.exponential(two, a.shape)),
            "log_scales": jnp.log(
                given["prior_sd"] * jnp.abs(jax.random.normal(three, (2,))) + FLOOR
            ),
        }

        def density(position: Any) -> Any:
            return log_density(position, outcome, donors)

        tuned = blackjax.window_adaptation(blackjax.nuts, density, target_acceptance_rate=0.9)
        (state, parameters), _ = tuned.run(tuning, start, num_steps=task["tune"])
        step = blackjax.nuts(density, **parameters).step

        def draw(state: Any, key: Any) -> Any:
            state, info = step(key, state)
            return state, (
                weights(state.position),
                jnp.exp(state.position["log_scales"]),
                info.is_divergent,
            )

        return jax.lax.scan(draw, state, jax.random.split(sampling, task["draws"]))[1]

    return run


if __name__ == "__main__":
    main()
