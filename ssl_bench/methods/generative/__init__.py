"""Generative models: autoencoders and adversarial networks."""
