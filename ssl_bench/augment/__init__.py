"""Augmentation on the device: operations on one uint8 image, and policies written as one line of text."""

from ssl_bench.augment.ops import Operation
from ssl_bench.augment.policies import compile_policy, get, make, on_columns, operations, parse, resolve

__all__ = ['Operation', 'compile_policy', 'get', 'make', 'on_columns', 'operations', 'parse', 'resolve']
