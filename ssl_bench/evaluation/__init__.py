"""What a trained model is worth: scores, calibration, probes, neighbors, health and their intervals."""
