"""The model once more, in plain numpy and scipy with loops and dense matrices: the oracle of the density and its quantities.

It shares with the package the order of the unconstrained vector (``structure.slices``) and nothing else of its arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, optimize, stats
from scipy.special import expit, gamma

from mmx.data.panel import Panel
from mmx.mmm.design import build
from mmx.mmm.structure import Structure
from mmx.spec import Spec

from .oracle_curves import SHAPES as SHAPES
from .oracle_curves import distribution as distribution
from .oracle_curves import exposure as exposure
from .oracle_curves import frequencies
from .oracle_curves import lag_weights as lag_weights
from .oracle_curves import money as money
from .oracle_curves import saturated as saturated


@dataclass(frozen=True)
class Oracle:
    """Model of one resolved specification and panel; ``weights`` (time,) are row weights, 0 held out."""

    spec: Spec
    panel: Panel
    weights: np.ndarray
    structure: Structure
    geo_basis: np.ndarray

    @cached_property
    def train(self) -> np.ndarray:
        return self.weights > 0

    def values(self, q: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters by name: every prior's quantile at the standard normal coordinate, or the inverse transform."""
        return {b.name: self._value(b, q[self.structure.slices[b.name]]) for b in self.structure.blocks}

    def _value(self, block: Any, part: np.ndarray) -> np.ndarray:
        level = stats.norm.cdf(part)
        if block.kind == "degrees":
            return 2 + distribution(self._prior(block.name)).ppf(level)
        if block.name == "effect":
            return np.array([self._effect_prior(m).ppf(p) for m, p in zip(block.media, level, strict=True)])
        if block.kind == "lognormal":
            return distribution(self._prior(block.name)).ppf(level)
        if block.name in ("geo_sd", "group_sd"):  # Of either sign: the deviations take part.
            priors = self.spec.model.baseline
            return (priors.geo_effect if block.name == "geo_sd" else priors.group_effect) * part
        return {"beta": expit, "half_normal": np.exp, "half_cauchy": np.exp, "normal": np.asarray}[block.kind](part)

    def _prior(self, name: str) -> Any:
        model = self.spec.model
        if name == "total":
            return model.priors
        return getattr(model.baseline if hasattr(model.baseline, name) else model.shapes, name)

    def _effect_prior(self, m: int) -> Any:
        medium, kind = [*self.spec.channels.values(), *self.spec.organic.values()][m], self.spec.constants.kind[m]
        return distribution(medium.priors if kind == medium.priors.kind else self.spec.model.silent_prior)

    def log_prior(self, q: np.ndarray) -> float:
        """Densities of the values with the Jacobians of the transforms."""
        total, sd, baseline = 0.0, self.spec.constants.kpi_sd, self.spec.model.baseline
        scale = {"noise": baseline.noise * sd, "drift_sd": baseline.drift * sd, "control": baseline.control * sd}
        scale |= {"effectiveness_sd": baseline.effectiveness, "sparse_local": 1.0, "sparse_global": baseline.sparse * sd}
        for block in self.structure.blocks:
            part = q[self.structure.slices[block.name]]
            value = self._value(block, part)
            if block.kind == "beta":
                total += np.sum(distribution(self._prior(block.name)).logpdf(value) + np.log(value * (1 - value)))
            elif block.kind == "half_cauchy":
                total += np.sum(stats.halfcauchy(scale=scale[block.name]).logpdf(value) + part)
            elif block.kind == "half_normal":
                total += np.sum(stats.halfnorm(scale=scale[block.name]).logpdf(value) + part)
            else:
                total += stats.norm.logpdf(part).sum()
        return float(total)

    def effects(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Effect of each medium in its prior's unit: its own, or its share of the total."""
        kinds = self.spec.constants.kind
        own, together = iter(values.get("effect", ())), kinds.count("total")
        share = np.ones(max(together, 1))
        if together > 1:
            # An orthonormal basis of the complement of the constant vector: the split's deviations sum to zero.
            basis = zero_sum_basis(np.ones(together))
            share = np.exp(self.spec.model.split_sd * (basis @ values["split"]))
        shares = iter(values["total"][0] * share / share.sum() if together else ())
        return np.array([next(shares) if kind == "total" else next(own) for kind in kinds])

    def beta(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Effect at full saturation per geo, (geo, media), solved from the effects by counterfactual sums."""
        constants, geos, media = self.spec.constants, self.structure.geos, self.structure.media
        x = exposure(self.spec, self.panel)
        factors = np.ones((geos, media))
        if geos > 1:
            z = values["geo_z"].reshape(media, geos - 1)
            for m in range(media):
                scale = np.full(geos - 1, values["geo_sd"][m])
                if "group_sd" in values:  # Their deviations stand first: one less than groups.
                    scale[: len(set(self.panel.groups)) - 1] = values["group_sd"][m]
                factors[:, m] = np.exp(self.geo_basis[m] @ (scale * z[m]))
        zeroed = np.where(self.train[:, None, None], 0.0, x)
        actual = self.acting(values, x)
        acting = actual - self.acting(values, zeroed)
        more = self.acting(values, np.where(self.train[:, None, None], 1.01 * x, x)) - actual
        worth = np.where(self.train[:, None], money(self.spec, self.panel), 0.0)
        spend = self.panel.array("spend")[:, self.train].sum(axis=(0, 1))
        kpi = (self.panel.array("kpi") * self.panel.array("unit_value"))[:, self.train].sum()
        beta = np.zeros(media)
        for m, (kind, effect) in enumerate(zip(constants.kind, self.effects(values), strict=True)):
            counted = more / 0.01 if kind == "mroas" else acting
            per_unit = sum((counted[:, g, m] * worth[:, g] * factors[g, m]).sum() for g in range(geos))
            goal = effect * (spend[m] if kind in ("roas", "mroas") else kpi)
            if kind == "coefficient":
                beta[m] = effect
            elif self.structure.multiplicative:
                beta[m] = self._root(more[..., m] if kind == "mroas" else acting[..., m], factors[:, m], goal, kind == "mroas")
            else:
                beta[m] = goal / per_unit
        return beta * factors

    def acting(self, values: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        """Saturated exposure (time, geo, media), times what effectiveness over time makes of it."""
        out = saturated(self.spec, values, x, frequencies(self.spec, self.panel))
        media, terms = [*self.spec.channels.values(), *self.spec.organic.values()], self.spec.constants.effectiveness_terms
        if all(medium.effectiveness == "constant" for medium in media):
            return out
        left, times = values["effectiveness_z"].reshape(-1, terms), len(x)
        sds, shared = list(zip(values["effectiveness_sd"], left, strict=True)), None
        if any(medium.effectiveness == "shared" for medium in media):
            shared = sds.pop(0)
        for m, medium in enumerate(media):
            if medium.effectiveness != "constant":
                sd, z = shared if medium.effectiveness == "shared" else sds.pop(0)
                year, edge = 365.25 / 7, 1.5 * (times - 1) / 2
                f = np.zeros(times)
                for k in range(terms):
                    omega = (k + 1) * np.pi / (2 * edge)
                    scale = np.sqrt(matern_spectrum(omega * year, sd, values["effectiveness_length"][0]) / (edge / year))
                    f += z[k] * scale * np.sin(omega * (np.arange(times) - (times - 1) / 2 + edge))
                out[..., m] *= np.exp(f - f[self.train].mean())[:, None]
        return out

    def baseline_sd(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Prior standard deviations of the design's columns; the drift's from the Matern 5/2 spectral density."""
        design = build(self.spec, self.panel)
        sd = design.prior_sd.copy()
        if self.structure.sparse:
            slab = self.spec.model.baseline.control * self.spec.constants.kpi_sd
            free = values["sparse_local"] * values["sparse_global"]
            sd[list(self.structure.sparse)] = 1 / np.sqrt(1 / slab**2 + 1 / free**2)
        if self.structure.drift == "knots":
            sd[design.groups["drift"]] = values["drift_sd"][0]
        elif self.structure.drift_terms:
            scale, length = values["drift_sd"][0], values["drift_length"][0]
            sd[design.groups["drift"]] = np.sqrt(matern_spectrum(design.frequency, scale, length))
        return sd

    def _root(self, acting: np.ndarray, factors: np.ndarray, goal: float, marginal: bool) -> float:
        """Coefficient with which a medium brings its goal of the KPI's money, found by bisection."""
        sales = np.where(self.train[:, None], (self.panel.array("kpi") * self.panel.array("unit_value")).T, 0.0)

        def missing(beta: float) -> float:
            with_it = np.exp(beta * acting * factors) if marginal else 1.0
            without = 1.0 if marginal else np.exp(-beta * acting * factors)
            return float((sales * (with_it - without)).sum()) / (0.01 if marginal else 1.0) - goal

        return float(optimize.brentq(missing, -50.0, 50.0, xtol=1e-15, rtol=1e-15))

    def level(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """All that is sampled and adds up to the scaled KPI or its logarithm, (time, geo)."""
        x = exposure(self.spec, self.panel)
        total = np.einsum("tgm,gm->tg", self.acting(values, x), self.beta(values))
        design = build(self.spec, self.panel)
        if "control" in values:
            total += design.signed @ values["control"]
        return total

    def sampled_baseline(self, values: dict[str, np.ndarray], media: np.ndarray) -> tuple[np.ndarray, float]:
        """Baseline of the training rows, (time, geo), and the log density of its coefficients over that of their coordinates.

        The coordinates are standard normals behind the posterior of a normal model with the same coefficients, all dense.
        """
        spec, constants, geos = self.spec, self.spec.constants, self.structure.geos
        z, weights = build(spec, self.panel).z[self.train], np.repeat(self.weights[self.train], geos)
        own = [np.kron(column[:, None], np.eye(geos)) for column, _ in self.own()]
        columns = np.concatenate([*own, z.reshape(-1, z.shape[2])], axis=1)
        sd = np.concatenate([*(np.full(geos, scale) for _, scale in self.own()), self.baseline_sd(values)])
        kpi, size = self.panel.array("kpi").T[self.train], np.array(constants.geo_scale) * constants.kpi_scale
        center, variance = constants.kpi_mean * (1 - spec.model.baseline.media_share), np.mean(values["noise"] ** 2)
        if spec.model.link == "log":
            target = np.log((kpi + 0.5) / size) - constants.kpi_mean - np.log(1 - spec.model.baseline.media_share)
        else:
            target = kpi / size - center
        if spec.model.likelihood == "negative_binomial":
            variance += 1 / np.average(kpi.mean(axis=1), weights=self.weights[self.train])
        precision = (columns.T * weights) @ columns / variance + np.diag(sd**-2)
        factor = np.linalg.cholesky(precision)
        free = np.concatenate([values.get("local", np.zeros(0)), values["baseline"]])
        pulled = columns.T @ (weights * (target - media).ravel()) / variance
        found = linalg.solve_triangular(factor.T, linalg.solve_triangular(factor, pulled, lower=True) + free)
        log_ratio = stats.norm(0, sd).logpdf(found).sum() - stats.norm.logpdf(free).sum() - np.log(np.diag(factor)).sum()
        return (columns @ found).reshape(media.shape), float(log_ratio)

    def log_likelihood(self, values: dict[str, np.ndarray]) -> float:
        """Dense multivariate normal of all training cells, or cell by cell where the baseline is sampled."""
        constants, share = self.spec.constants, 1 - self.spec.model.baseline.media_share
        level, kpi = self.level(values)[self.train], self.panel.array("kpi").T[self.train]
        size, noise, weights = np.array(constants.geo_scale) * constants.kpi_scale, values["noise"], self.weights[self.train]
        log_ratio = 0.0
        if "baseline" in values:
            baseline, log_ratio = self.sampled_baseline(values, level)
            level = level + baseline
        if self.spec.model.likelihood == "negative_binomial":
            log_link, count = self.spec.model.link == "log", 1 / noise**2
            mean = size * (np.exp(level + constants.kpi_mean) * share if log_link else level + constants.kpi_mean * share)
            counts = stats.nbinom(count, count / (count + mean)).logpmf(kpi).sum() if (mean > 0).all() else -np.inf
            return float(counts) + log_ratio
        if self.spec.model.likelihood == "lognormal":
            y = np.log(kpi / size) - constants.kpi_mean - np.log(share)
        else:
            y = kpi / size - constants.kpi_mean * share
        if self.spec.model.likelihood == "student_t":
            return float(stats.t(values["degrees"][0], level, noise / np.sqrt(weights)[:, None]).logpdf(y).sum()) + log_ratio
        rho = values["autocorrelation"][0] if "autocorrelation" in values else 0.0
        z = build(self.spec, self.panel).z[self.train]
        return log_marginal(y - level, z, self.baseline_sd(values), self.own(), noise, weights, rho)

    def own(self) -> list[tuple[np.ndarray, float]]:
        """Columns of the training rows that each geo has coefficients of its own for, with their prior scales."""
        constants, priors = self.spec.constants, self.spec.model.baseline
        rms = 1.0 if self.structure.multiplicative else np.sqrt(constants.kpi_mean**2 + constants.kpi_sd**2)
        columns = [(np.ones(int(self.train.sum())), priors.geo_intercept * rms)]
        if self.spec.model.trend != "none":
            trend = np.flatnonzero(self.train) / constants.time_range
            trend = trend - np.average(trend, weights=self.weights[self.train])
            columns.append((trend, priors.geo_trend * constants.kpi_sd))
        return columns if self.structure.geos > 1 else []

    def lift(self, values: dict[str, np.ndarray]) -> float:
        """Normal densities of what experiments measured, each by the curve without its spend, cell by cell."""
        total, x, beta = 0.0, exposure(self.spec, self.panel), self.beta(values)
        actual = self.acting(values, x)
        size = np.array(self.spec.constants.geo_scale) * self.spec.constants.kpi_scale
        kpi, worth = self.panel.array("kpi"), self.panel.array("unit_value")
        for test in self.spec.lift_tests:
            m, spend = list(self.spec.channels).index(test.channel), self.panel.array("spend")
            days = [(d, d + np.timedelta64(6, "D")) for d in self.panel.dates]
            rows = [i for i, (a, b) in enumerate(days) if b >= np.datetime64(test.start) and a <= np.datetime64(test.end)]
            if rows[-1] > np.flatnonzero(self.train)[-1]:
                continue
            cells = [(g, i) for g, n in enumerate(self.panel.names("geo")) if not test.geos or n in test.geos for i in rows]
            paid = sum(spend[g, i, m] for g, i in cells)
            delta = paid if test.delta_spend is None else test.delta_spend
            without = x.copy()
            for g, i in cells:
                without[i, g, m] *= 1 - delta / paid
            fewer = self.acting(values, without)
            found = 0.0
            for g, i in cells:
                gone = beta[g, m] * (actual[i, g, m] - fewer[i, g, m])
                units = kpi[g, i] * (1 - np.exp(-gone)) if self.structure.multiplicative else size[g] * gone
                found += units * (worth[g, i] / delta if test.metric == "roas" else 1.0)
            total += stats.norm(found, test.se * test.inflation).logpdf(test.value)
        return float(total)

    def log_density(self, q: np.ndarray) -> float:
        """Log prior plus log likelihood."""
        values = self.values(q)
        return self.log_prior(q) + self.log_likelihood(values) + self.lift(values)


def log_marginal(
    residual: np.ndarray,
    z: np.ndarray,
    prior_sd: np.ndarray,
    own: list[tuple[np.ndarray, float]],
    noise: float | np.ndarray,
    weights: np.ndarray,
    rho: float = 0.0,
) -> float:
    """Log density of residuals (time, geo) under baseline and noise, by the dense covariance of all cells."""
    covariance = covariance_of(z, prior_sd, own, noise, weights, rho)
    return float(stats.multivariate_normal(np.zeros(residual.size), covariance).logpdf(residual.ravel()))


def covariance_of(
    z: np.ndarray,
    prior_sd: np.ndarray,
    own: list[tuple[np.ndarray, float]],
    noise: float | np.ndarray,
    weights: np.ndarray,
    rho: float = 0.0,
) -> np.ndarray:
    """Covariance of the cells in the order time, geo: ``z`` (time, geo, column), ``weights`` (time,), ``noise`` also (geo,)."""
    times, geos, columns = z.shape
    flat = z.reshape(times * geos, columns)
    covariance = flat @ np.diag(prior_sd**2) @ flat.T
    for column, sd in own:
        covariance += sd**2 * np.kron(np.outer(column, column), np.eye(geos))
    lag = np.abs(np.subtract.outer(np.arange(times), np.arange(times)))
    over_time = np.power(rho, lag) / np.sqrt(np.outer(weights, weights))
    return covariance + np.kron(over_time, np.diag(np.broadcast_to(noise, geos) ** 2))


def matern_spectrum(frequency: np.ndarray, sd: float, length: float) -> np.ndarray:
    """Spectral density of the Matern kernel of smoothness 5/2 in one dimension; Rasmussen and Williams (2006), eq. 4.15."""
    nu = 2.5
    constant = 2 * np.sqrt(np.pi) * gamma(nu + 0.5) * (2 * nu) ** nu / (gamma(nu) * length ** (2 * nu))
    return sd**2 * constant * (2 * nu / length**2 + frequency**2) ** -(nu + 0.5)


def zero_sum_basis(weight: np.ndarray) -> np.ndarray:
    """Reflection of the unit axes onto the weights, without the weights themselves: (size, size - 1)."""
    unit = weight / np.sqrt((weight**2).sum())
    mirror = unit + np.eye(len(unit))[0]
    return (np.eye(len(unit)) - 2 * np.outer(mirror, mirror) / (mirror @ mirror))[:, 1:]
