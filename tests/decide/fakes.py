"""Responses with known curves that stand in for a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Curves:
    """One Hill curve per draw and channel: ``top * x**shape / (half**shape + x**shape)``, S-shaped where shape > 1."""

    top: np.ndarray  # (sample, channel), money
    half: np.ndarray
    shape: np.ndarray

    @property
    def samples(self):
        return len(self.top)

    @property
    def blocks(self):
        return np.arange(self.top.shape[1])

    def value(self, money):
        return self.value_and_slope(money)[0]

    def value_and_slope(self, money):
        ratio = (money / self.half) ** self.shape
        with np.errstate(divide="ignore", invalid="ignore"):
            start = np.where(self.shape < 1, np.inf, np.where(self.shape == 1, 1 / self.half, 0.0))
            lead = np.where(money > 0, self.shape * ratio / np.where(money > 0, money, 1.0), start)
        return self.top * ratio / (1 + ratio), self.top * lead / (1 + ratio) ** 2

    def thinned(self, draws):
        return replace(self, top=self.top[draws], half=self.half[draws], shape=self.shape[draws])


@dataclass(frozen=True)
class Flights:
    """Periods of a channel share geometric carryover, then saturate: cells are channel by period, blocks are channels."""

    top: np.ndarray  # (sample, channel)
    half: np.ndarray
    keep: np.ndarray
    shape: np.ndarray
    periods: int
    tail: int = 4
    concave: bool = False  # the curve under its concave envelope: what envelope() returns

    @property
    def samples(self):
        return len(self.top)

    @property
    def blocks(self):
        return np.repeat(np.arange(self.top.shape[1]), self.periods)

    def _stock(self, money):
        spend = money.reshape(-1, self.periods)
        stock, now = [], np.zeros_like(self.top)
        for t in range(self.periods + self.tail):
            now = now * self.keep + (spend[:, t] if t < self.periods else 0.0)
            stock.append(now)
        return np.stack(stock, axis=-1)

    def value(self, money):
        return self.value_and_slope(money)[0]

    def value_and_slope(self, money):
        stock = self._stock(money) / self.half[..., None]
        shape = self.shape[..., None]
        ratio = stock**shape
        level = ratio / (1 + ratio)
        slope = np.where(shape == 1, 1.0, shape * ratio / np.where(stock > 0, stock, 1.0)) / (1 + ratio) ** 2
        if self.concave:
            touch = (shape - 1) ** (1 / shape)  # where the ray from 0 touches a Hill curve
            ray = touch**shape / (1 + touch**shape) / np.where(touch > 0, touch, 1.0)
            level = np.where(stock < touch, ray * stock, level)
            slope = np.where(stock < touch, ray, slope)
        back = np.zeros_like(slope)
        back[..., -1] = slope[..., -1]
        for t in range(slope.shape[-1] - 2, -1, -1):
            back[..., t] = slope[..., t] + self.keep * back[..., t + 1]
        gained = (self.top / self.half)[..., None] * back[..., : self.periods]
        return self.top * level.sum(axis=-1), gained.reshape(self.samples, -1)

    def thinned(self, draws):
        parts = {name: getattr(self, name)[draws] for name in ("top", "half", "keep", "shape")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Enclosed(Flights):
    """Flights that know a concave response above them."""

    def envelope(self):
        parts = {name: getattr(self, name) for name in ("top", "half", "keep", "shape", "periods", "tail")}
        return Flights(**parts, concave=True)


def curves(seed, samples, channels, shape=(1.0, 1.0), spread=0.3):
    """A random world of curves; shapes are uniform in a range."""
    rng = np.random.default_rng(seed)
    noise = np.exp(spread * rng.standard_normal((3, samples, channels)))
    top = rng.uniform(50, 300, channels) * noise[0]
    half = rng.uniform(30, 150, channels) * noise[1]
    kind = np.broadcast_to(rng.uniform(*shape, channels), (samples, channels)) * (noise[2] if shape[0] > 1 else 1.0)
    return Curves(top, half, np.maximum(kind, 1.0) if shape[0] > 1 else kind.copy())


def signed(response, share, seed=0):
    """Some draws of each channel bring less the more is spent: curves that bend upwards beside the others."""
    turned = np.random.default_rng([seed, 5]).random(response.top.shape) < share
    return replace(response, top=np.where(turned, -0.3 * response.top, response.top))


def flights(seed, samples, channels, periods, shape=(1.0, 1.0), kind=Flights):
    """A random world of flights."""
    rng = np.random.default_rng(seed)
    noise = np.exp(0.3 * rng.standard_normal((2, samples, channels)))
    top = rng.uniform(50, 300, channels) * noise[0] / periods
    half = rng.uniform(30, 150, channels) * noise[1] / periods
    keep = np.clip(rng.uniform(0.1, 0.7, channels) + 0.05 * rng.standard_normal((samples, channels)), 0.0, 0.9)
    return kind(top, half, keep, np.broadcast_to(rng.uniform(*shape, channels), keep.shape).copy(), periods)
