"""Realistic records for the leaderboard's tests: seeded, without training anything."""

import hashlib
import json
import zlib

import numpy as np

WEAK, STRONG = 'crop(1)', 'crop(1) | randaugment(2, variant=google) | cutout(3)'
LEVEL = {  # accuracy at 20, 40 and 100 labels
  'supervised': (0.62, 0.72, 0.85),
  'pseudo_label': (0.64, 0.75, 0.87),
  'mean_teacher': (0.66, 0.77, 0.87),
  'fixmatch': (0.83, 0.90, 0.94),
  'simclr': (0.70, 0.79, 0.88),
  'byol': (0.68, 0.76, 0.86),
}
SETTINGS = {
  'supervised': {'strong': False},
  'pseudo_label': {'threshold': 0.95},
  'mean_teacher': {'weight': 50.0, 'decay': 0.999},
  'fixmatch': {'threshold': 0.95, 'weight': 1.0},
  'simclr': {'temperature': 0.5},
  'byol': {'tau': 0.99},
}
BUDGETS = (20, 40, 100)
SETS = ('digits', 'mnist')  # on which encoders are probed
SELF = ('simclr', 'byol')
CLOCK = {  # every value that a clock wrote, recognizable in any text
  'seconds_per_epoch': 7.7701,
  'images_per_second': 77702.0,
  'compile_seconds': 7.7703,
  'train_seconds': 7.7704,
  'peak_memory_bytes': 77705 * 2**20,
}


def record(
  method='fixmatch', labels=40, seed=0, *, accuracy=None, dataset='digits', protocol='smoke', **changes
):
  """One record as a trial writes it; `changes` are dotted settings such as augment__strong='crop(1)'."""
  mark = f'{dataset} {protocol} {method} {labels} {seed} {sorted(changes.items())}'
  rng = np.random.default_rng(int(hashlib.sha256(mark.encode()).hexdigest()[:12], 16))
  if accuracy is None:
    accuracy = float(np.interp(labels, BUDGETS, LEVEL.get(method, (0.6, 0.7, 0.8)))) + rng.normal(0, 0.012)
  accuracy = float(np.clip(accuracy, 0, 1))
  family = 'self-supervised' if method in SELF else 'semi-supervised'
  config = {
    'dataset': dataset,
    'labels': labels,
    'split_seed': seed,
    'seed': seed,
    'protocol': protocol,
    'method': {'name': method, **SETTINGS.get(method, {})},
    'net': {'name': 'convnet', 'width': 32, 'norm': 'batch'},
    'batch': {'labeled': 32, 'unlabeled_ratio': 4},
    'steps': 600 if method in SELF else 300,
    'optimizer': {'name': 'sgd', 'lr': 0.03, 'momentum': 0.9, 'schedule': 'cosine(7/16)'},
    'ema': {'decay': 0.999},
    'augment': {'weak': WEAK, 'strong': STRONG},
    'evaluate': {'every': 100, 'last': 20, 'probes': ['linear', 'knn']},
  }
  for name, value in changes.items():
    *path, last = name.split('__')
    tree = config
    for part in path:
      tree = tree.setdefault(part, {})
    tree[last] = value
  counts = rng.multinomial(400, np.linspace(0.02, 1, 15) ** 2 / (np.linspace(0.02, 1, 15) ** 2).sum())
  confidence = (np.arange(15) + 0.5) / 15

  def diagram(gap):
    right = np.clip(confidence - gap * (1 - abs(2 * confidence - 1.2)), 0, 1)
    full = counts > 0
    columns = {'confidence': np.where(full, confidence, 0), 'accuracy': np.where(full, right, 0)}
    return {'count': counts.tolist(), **{k: [float(x) for x in v] for k, v in columns.items()}}

  error = 1 - accuracy
  heavy = 2.4 if method in SELF else 1.0 if method in ('supervised', 'pseudo_label') else 1.9
  pseudo = {'precision': min(accuracy + 0.06, 1.0), 'coverage': 0.5 + accuracy / 3, 'agreement': 0.9}
  body = {
    'schema': 1,
    'grid': 'quickstart',
    'protocol': protocol,
    'status': 'done',
    'error': None,
    'config': config,
    'augment_resolved': {'weak': WEAK, 'strong': STRONG.replace('google', 'google, gray')},
    'family': family,
    'versions': {'protocol': 1, 'method': 1, 'dataset': f'{dataset}/1.0.0', 'fingerprint': 'f00dfeed'},
    'labels': labels,
    'labels_seen': 'trial',
    'split': {
      'hash': f'{labels}/{seed}',
      'labeled': labels,
      'train': 1197,
      'validation': 200,
      'test': 400,
    },
    'metrics': {
      'accuracy': accuracy,
      'nll': 3.4 * error,
      'brier': 1.4 * error,
      'ece': 0.45 * error,
      'ece_interval': [0.3 * error, 0.6 * error],
      'ece_adaptive': 0.46 * error,
      'ece_classwise': 0.02,
      'mce': 0.3,
      'temperature': 1.8,
      'scaled': {'nll': 2.6 * error, 'brier': 1.3 * error, 'ece': 0.2 * error},
      'isotonic': {'nll': 2.8 * error, 'brier': 1.35 * error, 'ece': 0.25 * error},
      'reliability': diagram(0.22),
      'reliability_scaled': diagram(0.05),
      'raw': {'accuracy': accuracy - 0.01, 'nll': 3.6 * error, 'brier': 1.5 * error, 'ece': 0.5 * error},
      'accuracy_validation_selected': accuracy - 0.003,
      'accuracy_median_last': accuracy - 0.002,
      'accuracy_best_on_test': min(accuracy + 0.01, 1.0),
      'linear': {'accuracy': 0.93 + rng.normal(0, 0.005)},
      'linear_budget': {'accuracy': accuracy if method in SELF else accuracy - 0.02},
      'knn': {'20': 0.91 + rng.normal(0, 0.005), '200': 0.88},
      'health': {
        'feature_std': 0.7,
        'rankme': 34.2,
        'rankme_centered': 33.0,
        'alignment': 0.4,
        'uniformity': -2.1,
      },
      'collapsed': False,
      'collapse_reason': '',
      **({'pseudo_labels': pseudo} if method in ('fixmatch', 'pseudo_label') else {}),
    },
    'curve': [{'step': 100, 'loss': 1.0}],
    'evaluations': [{'step': 100, 'validation_accuracy': accuracy, 'test_accuracy': accuracy}],
    'cost': {
      **CLOCK,
      'gflops_per_epoch': 9.3 * heavy,
      'gflops_per_step': 1.03 * heavy,
      'steps_per_epoch': 9.35,
      'shared': False,
    },
    'environment': {
      'packages': {'jax': '0.10.2'},
      'git': {'commit': 'abcdef0123456789', 'dirty': False},
      'device': {'platform': 'cpu', 'kind': 'cpu', 'count': 1},
      'python': '3.11.2',
    },
    'time': {'started': '2031-01-02T03:04:05', 'finished': '2031-01-02T03:14:15'},
  }
  identity = json.dumps([config, body['versions']], sort_keys=True)
  return {'id': hashlib.sha256(identity.encode()).hexdigest()[:16], **body}


def failed(
  method='fixmatch', labels=40, seed=0, *, status='failed', error='The loss was nan at step 120.', **changes
):
  """A trial that ended without a result: nothing but its config, its versions and the sentence."""
  whole = record(method, labels, seed, **changes)
  kept = ('schema', 'id', 'grid', 'protocol', 'config', 'family', 'versions')
  return {**{k: whole[k] for k in kept}, 'status': status, 'error': error}


def quickstart():
  """The records of a small grid in which everything happens: sweeps, failures, a collapse, an old version."""
  found = [record(m, n, s) for m in LEVEL for n in BUDGETS for s in range(3)]
  policies = (WEAK, f'{WEAK} | cutout(3)', f'{WEAK} | randaugment(2, variant=torchssl)')
  found += [
    record(m, 40, s, augment__strong=p) for m in ('fixmatch', 'simclr') for p in policies for s in range(3)
  ]
  found += [record('supervised', 40, s, method__strong=True) for s in range(3)]
  found[-1]['metrics'] |= {'collapsed': True, 'collapse_reason': 'RankMe 1.2 is below 0.05 d'}
  found += [failed('mean_teacher', 40, 3, status='diverged'), failed('vat', 20, 0)]
  old = record('fixmatch', 20, 7)
  old['versions']['method'] = 0
  return [*found, old]


TODAY = {'protocol': 1, 'methods': dict.fromkeys(LEVEL, 1), 'datasets': {'digits': 'f00dfeed'}}


def some_share(*what):
  """A share that depends on what it is of."""
  return float(np.random.default_rng(zlib.crc32(repr(what).encode())).uniform(0.2, 0.9))


def probed(method, dataset, seed, labels=40, sets=SETS, **changes):
  """A record whose encoder was probed: numbers of a self-supervised method depend on its seed alone."""
  changes = {'evaluate__transfer': list(sets), **changes}
  one = record(method, labels, seed, dataset=dataset, **changes)
  key = (method, dataset, seed, json.dumps(changes.get('teacher', {})), labels if method == 'fixmatch' else 0)
  trained, random = (
    {
      probe: {name: some_share(probe, name, *mark) for name in sets}
      for probe in ('linear', 'knn', 'few_1', 'few_2', 'few_5')
    }
    for mark in (key, ('random', dataset, seed))
  )
  one['metrics']['transfer'] = {**trained, 'random': random}
  return one
