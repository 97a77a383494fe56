"""Semi-supervised and self-supervised learning under one protocol."""

__version__ = '0.1.0'
