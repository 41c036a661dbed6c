"""Weights in few bits: quantizers, calibration, compensated rounding, sensitivity scores, the weight bank."""
