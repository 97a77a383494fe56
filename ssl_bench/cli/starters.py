"""Configs and a grid to begin with on a set that was just added; what is there already stays."""

from pathlib import Path

from ssl_bench.data.added import place_of
from ssl_bench.data.meta import Meta
from ssl_bench.settings.find import FOLDERS, PROTOCOL

SMALL = 64  # the largest side for the small net, which halves an image twice
ORIGIN = (
  '# Written by `ssl-bench data add`; nothing was tuned on this set. Edit it: it is not written again.\n'
)


def write_starters(name: str, meta: Meta, folder: Path) -> tuple[list[Path], list[Path]]:
  """Writes configs/… and experiments/….yaml for a set below `folder`; (files written, files left alone)."""
  place = place_of(name)
  configs = folder / FOLDERS['config'] / place
  texts = {
    configs / PROTOCOL: protocol(name, meta),
    **{configs / f'{k}.yaml': v for k, v in methods(meta).items()},
  }
  texts[folder / FOLDERS['grid'] / f'{place}.yaml'] = grid(place, meta)
  written, kept = [], []
  for path, text in texts.items():
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
      with path.open('x', encoding='utf-8') as file:
        file.write(ORIGIN + text)
      written.append(path)
    except FileExistsError:
      kept.append(path)
  return written, kept


def protocol(name: str, meta: Meta) -> str:
  """What all methods share on the set: a net and policies for its size, batches that it can fill."""
  side = min(meta.shape[:2])
  weak, strong = _policies(side, meta.shape[2])
  return f"""\
dataset: {name}
labels: {budgets(meta)[0]}
split_seed: 0
seed: 0
protocol: budget
net: {_net(side)}
batch: {{labeled: {_batches(meta)[0]}, unlabeled_ratio: {_batches(meta)[1]}}}
steps: 1000
# Rates and schedule as on the digits (FixMatch, Sohn et al. 2020, table 4, with smaller batches).
optimizer: {{name: sgd, lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5.0e-4, schedule: cosine(7/16)}}
ema: {{decay: 0.999}}
# FixMatch's policies, their distances in proportion to the side of {side} pixels.
augment:
  weak: {weak}
  strong: {strong}
evaluate: {{every: 100, last: 5, probes: {'[linear, knn]' if meta.classes > 1 else '[]'}}}
checkpoint: {{every: 500}}
log_every: 50
"""


def methods(meta: Meta) -> dict[str, str]:
  """The files of methods that differ from the protocol; the others need none."""
  gray = meta.shape[2] == 1
  color = 'jitter(brightness=0.4, contrast=0.4)' if gray else 'jitter | grayscale'
  crops = f'resized_crop(scale=[0.2, 1.0]){"" if gray else " | flip"}'
  found = {
    'supervised': 'method: supervised\n',
    'fixmatch': '# The threshold of a short run; the paper has 0.95.\n'
    'method: {name: fixmatch, threshold: 0.8}\n',
    'simclr': '# Chen et al. 2020, appendix B.9: temperature 0.5, crops and color distortion, no blur.\n'
    'method: {name: simclr, temperature: 0.5, hidden: 128, out: 64}\n'
    'optimizer: {lr: 0.3}\n'
    'ema: null\n'
    'augment:\n'
    f'  strong: "{crops} | {color}"\n',
  }
  return found if meta.classes > 1 else {'simclr': found['simclr']}


def grid(name: str, meta: Meta) -> str:
  """Three methods at two label budgets on two splits: a board in minutes."""
  return f"""\
# A smoke protocol: far too short to say which method is better. Raise steps and add splits for that.
name: {name}
base: ../configs/{name}
set: {{protocol: smoke, steps: 300, evaluate.every: 50}}
blocks:
  - method: [{', '.join(methods(meta))}]
    labels: [{', '.join(map(str, budgets(meta)))}]
    split_seed, seed: [[0, 0], [1, 1]]
"""


def budgets(meta: Meta) -> list[int]:
  """Two label budgets: 4 and 10 of each class, as far as there are so many."""
  most = meta.sizes.train
  return sorted({min(most, each * meta.classes) for each in (4, 10)}) if meta.classes > 1 else [1]


def _batches(meta: Meta) -> tuple[int, int]:
  """(labeled images of a batch, unlabeled ones to each of them) that the set can fill."""
  images = meta.sizes.train + meta.sizes.unlabeled
  labeled = min(16, images)
  return labeled, max(1, min(4, images // labeled))


def _net(side: int) -> str:
  if side <= SMALL:
    return '{name: convnet, width: 16}'
  return '{name: resnet, depth: 18, width: 16, stem: imagenet}'


def _policies(side: int, channels: int) -> tuple[str, str]:
  """The weak and the strong policy; gray images (letters, scans) are not flipped."""
  shift = max(1, side // 8)
  weak = ('' if channels == 1 else 'flip | ') + (f'crop({shift})' if side > 1 else 'none')
  if side < 4:
    return weak, weak
  return weak, f'{weak} | randaugment(2, variant=google) | cutout({side // 2})'
