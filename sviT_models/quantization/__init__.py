"""Weights in few bits: quantizers, calibration, compensated rounding, sensitivity scores, the weight bank.

From outside: `quantizers`, `weight_bank`, `fake_quantized`, `fisher`.
"""
