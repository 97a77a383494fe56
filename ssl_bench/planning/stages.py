"""Whether a training is long enough for what happens at the ends of its epochs."""

import math

import numpy as np

from ssl_bench.config import Config
from ssl_bench.contract import Method
from ssl_bench.planning import batch
from ssl_bench.planning.structure import Structure, stride_of
from ssl_bench.settings.signature import BadSetting

SHARE = 0.5  # of its equal part of the steps that a stage has at least


def check_stages(config: Config, structure: Structure, method: Method) -> None:
  """Raises `BadSetting` where a method that renews itself between epochs has too few steps afterwards.

  A method that starts anew (`Method.trainings`) needs in every training one epoch and half of its equal part
  of the steps; one that only looks at the whole set needs, after its `warmup`, half of the steps left then.
  """
  if method.loss is None or method.refresh is None:
    return
  epoch = batch.steps_per_epoch(structure)
  name, staged, taught = config.method['name'], 'stages' in config.method, structure.teacher is not None
  warmup = config.method.get('warmup', 0.0)

  def plan(steps: int, trainings: int) -> list[int]:
    ends = epoch_ends(steps, epoch, stride_of(config.model_copy(update={'steps': steps})))
    return lengths(steps, trainings, ends, taught)

  def fits(steps: int, trainings: int) -> bool:
    if staged:
      alone = trainings == 1 and not taught
      return alone or min(plan(steps, trainings)) >= max(epoch, SHARE * steps / trainings)
    ends = epoch_ends(steps, epoch, stride_of(config.model_copy(update={'steps': steps})))
    left = ends[ends >= warmup * steps]
    return warmup >= 1 or bool(len(left) and steps - left[0] >= SHARE * (1 - warmup) * steps)

  steps, trainings = config.steps, method.trainings
  if fits(steps, trainings):
    return
  longest = steps + 4 * (trainings + 1) * epoch
  use = f'use steps={next((n for n in range(steps, longest) if fits(n, trainings)), longest)}'
  if not staged:
    raise BadSetting(
      f'{name} renews itself at the ends of epochs of {epoch} steps, too late for {steps}; {use}.'
    )
  fewer = [k for k in range(1, trainings) if fits(steps, k)]
  shares = ', '.join(map(str, plan(steps, trainings)))
  raise BadSetting(
    f'{name} begins its trainings at the ends of epochs of {epoch} steps, so of steps={steps} they get '
    f'{shares}; {use}{f" or method.stages={fewer[-1]}" if fewer else ""}.'
  )


def epoch_ends(steps: int, epoch: int, stride: int = 1) -> np.ndarray:
  """The steps after which a method is refreshed, int [ends]; never the last, which nothing comes after."""
  at = np.arange(stride, steps, stride)
  return at[at % epoch < stride]


def lengths(steps: int, trainings: int, ends: np.ndarray, taught: bool = False) -> list[int]:
  """Steps of each training: the k-th begins at the first end of an epoch from k · steps / trainings on.

  With a teacher the first one begins at the end of the first epoch.
  """
  due = [math.nextafter(0, 1) if taught else 0.0, *(k * steps / trainings for k in range(1, trainings))]
  begins = [0 if d == 0 else next((int(end) for end in ends if end >= d), steps) for d in due]
  return [later - begin for begin, later in zip(begins, [*begins[1:], steps])]
