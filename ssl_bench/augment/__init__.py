"""Augmentation on the device: operations on one uint8 image, and policies written as one line of text."""

from .ops import Operation
from .policies import compile_policy, operations, parse, resolve

__all__ = ['Operation', 'compile_policy', 'operations', 'parse', 'resolve']
