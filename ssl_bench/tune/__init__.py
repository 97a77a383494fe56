"""Tuning: spaces of settings, samplers, one budget of training steps a method, independent studies."""
