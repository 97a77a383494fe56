"""Inversion: training images above what an attack draws of them from their features."""

from collections.abc import Sequence

import numpy as np

from ssl_bench.evaluation.attacks import Inverted
from ssl_bench.evaluation.attacks.inversion import psnr
from ssl_bench.report.examples import address
from ssl_bench.report.parts import Part, Picture, Pictures, Section, Sentence, of_each
from ssl_bench.report.trial import Trial

MOST = 12
BESIDE = (
  ('the encoder before training', 'inversion_untrained'),
  ('test images', 'inversion_others'),
  ('the mean image', 'inversion_mean'),
)


def sections(trials: Sequence[Trial]) -> list[Section]:
  """The reconstructions of each trial; no section where none asked for an inversion."""
  if all(trial.inverted is None for trial in trials):
    return []
  return [of_each('inversion', 'Inversion', [(trial.name, _parts(trial)) for trial in trials])]


def _parts(trial: Trial) -> list[Part]:
  found = trial.inverted
  said = [Sentence(numbers)] if (numbers := _numbers(trial)) else []
  if found is None:
    return [Sentence('The trial asked for no inversion.')]
  if isinstance(found, str):
    return [*said, Sentence(f'No reconstructions are shown. {found}')]
  count = len(found.positions)
  shown = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
  caption = f'Training images above their reconstructions ({len(shown)} of {count:,}, evenly spaced)'
  return [*said, Pictures(caption, [_picture(found, i) for i in shown])]


def _numbers(trial: Trial) -> str:
  """What the record holds, in one sentence; '' where it holds nothing of it."""
  of = lambda name: (trial.at(f'{name}_psnr'), trial.at(f'{name}_ssim'))
  say = lambda pair: f'{pair[0]:.1f} dB, {pair[1]:.2f}'
  pairs = {who: of(name) for who, name in (('', 'inversion_members'), *BESIDE)}
  if not all(isinstance(value, (int, float)) for pair in pairs.values() for value in pair):
    return ''
  beside = '; '.join(f'of {who} {say(pairs[who])}' for who, _ in BESIDE)
  return (
    'A linear decoder, fitted on validation images, draws training images from their features. '
    f'PSNR and SSIM: {say(pairs[""])}; {beside}.'
  )


def _picture(found: Inverted, i: int) -> Picture:
  original, made = found.originals[i], found.reconstructions[i]
  where, error = found.positions[i], psnr(float(((original - made) ** 2).mean()))
  return Picture(
    address(_bytes(original)),
    '',
    f'Training image {where}.',
    [f'{error:.1f} dB', f'train position {where}'],
    address(_bytes(made)),
    f'Training image {where}, drawn from its features.',
  )


def _bytes(levels: np.ndarray) -> np.ndarray:
  """Levels in [0, 1] as uint8."""
  return np.rint(255 * levels).astype(np.uint8)
