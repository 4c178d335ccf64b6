"""Shocks one at a time: what a simulation makes of each is a column of its linear map."""

import numpy as np


class Impulse:
    """Standard normal shocks that are all zero but one; chi-squares at their mean."""

    def __init__(self, at: int) -> None:
        self.left = at

    def spawn(self, count):
        return [self] * count

    def standard_normal(self, size):
        shocks = np.zeros(size)
        if 0 <= self.left < shocks.size:
            shocks.flat[self.left] = 1.0
        self.left -= shocks.size
        return shocks

    def chisquare(self, df, size):
        return np.full(size, df)
