"""The mean error of a quantized linear, moved into its bias."""

from __future__ import annotations

from fewbits.arrays import Floats
from fewbits.models.calibrate import Calibrated


def corrected_bias(
    bias: Floats | None, w: Floats, rounded: Floats, calibrated: Calibrated
) -> Floats:
    """Return bias + W E[x] - W' E[x'], float32 (n,): outputs are then right on average.

    x' is what the codes of the inputs stand for and E the mean over the calibration texts (Nagel
    et al., Data-Free Quantization, 2019, with measured means).

    Args:
        bias: float32 (n,), or None for zeros.
        w: (n, k), the weights as trained.
        rounded: (n, k), W': what the stored weights stand for, smoothing factors included.
        calibrated: of this linear.
    """
    taken = calibrated.mean if calibrated.mean_taken is None else calibrated.mean_taken
    shift: Floats = w @ calibrated.mean - rounded @ taken
    return shift if bias is None else bias + shift
