"""Datasets that come with the installation: one file each, whose function returns the `Dataset` of its name.

A plugin's dataset is such a function as well: `def mine() -> Dataset`.  `data.custom.from_parts` makes a
`Dataset` of images and labels.
"""
