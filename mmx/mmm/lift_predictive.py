"""What the draws of a posterior say that an experiment would have measured."""

from __future__ import annotations

import numpy as np

from mmx.data.panel import Floats
from mmx.mmm import predict
from mmx.mmm.inputs import lift_inputs
from mmx.mmm.posterior import Posterior


def predicted(posterior: Posterior) -> Floats:
    """Quantity of every experiment by the model, without its error of measurement, (sample, test).

    In the unit of the test's value. A difference from the value is what model and experiment disagree about.
    """
    panel, spec = posterior.panel, posterior.spec
    probes = lift_inputs(spec, panel, posterior.weights)
    x = predict.whole_exposure(posterior)
    out = np.zeros((posterior.samples, len(spec.lift_tests)))
    for k, m in enumerate(posterior.structure.lift):
        without = x.copy()
        without[..., m] = probes["lift_x"][k]
        for g in range(posterior.structure.geos):
            brought = (predict.media_cells(posterior, g, x) - predict.media_cells(posterior, g, without))[..., m]
            if posterior.structure.multiplicative:
                brought = -np.expm1(-brought)
            out[:, k] += brought @ probes["lift_worth"][k][:, g]
    return out
