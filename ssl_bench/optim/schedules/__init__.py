"""Schedules: one file each, found by name.

A factory has settings alone and returns a function (step, steps) -> factor of the rate, where `steps` is the
length of the run; both may be traced, and `step` may exceed `steps`.  Every schedule takes `frozen` beside
its own settings (`optim.parse_schedule`).
"""
