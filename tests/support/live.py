"""Trials that run, as followers see them: journals and records that are written without training."""

import time

from ssl_bench import config as configs
from ssl_bench.planning import make_plan
from ssl_bench.records import record
from ssl_bench.trial.journal import Journal
from ssl_bench.trial.run import describe

METRICS = {'accuracy': 0.75, 'nll': 0.8, 'ece': 0.1, 'collapsed': False, 'classifier': 'own'}


def known_of(path, *overrides, grid='mine'):
  """What is known of a config's trial when it begins."""
  plan = make_plan(configs.load(path, overrides))
  return {**describe(plan), 'grid': grid, 'training': plan.training_id}


def journal_of(folder, known):
  return Journal(folder / 'live', known, lambda: 48, lambda: {'device': 'cpu:0', 'bytes': 10, 'limit': 100})


def rows(*steps):
  return [{'step': step, 'loss': 1 / step, 'grad_norm': 2.0, 'pseudo/by_class': [0.1]} for step in steps]


def log(journal, *steps, look=()):
  """Logs rows of a curve, and after some steps a look at held-out images."""
  told = journal.telling(lambda *_: None)
  for row in rows(*steps):
    told(row['step'], row)
    if row['step'] in look:
      told(row['step'], {'evaluate/test_accuracy': row['step'] / 100})


def record_of(folder, known, *steps, look=(), **changes):
  """The record of a trial, written where its run folder has it."""
  looks = [{'step': step, 'test_accuracy': step / 100} for step in look]
  made = {k: v for k, v in known.items() if k != 'training'}
  made |= {'status': 'done', 'metrics': METRICS, 'curve': rows(*steps), 'evaluations': looks}
  made |= {'time': {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:01:00+00:00'}}
  return record.read_with_curves(record.write(made | changes, folder / 'records'))


def wait_until(condition, seconds=200):  # whoever follows has the lowest priority
  end = time.monotonic() + seconds
  while not (found := condition()):
    assert time.monotonic() < end, 'it took too long'
    time.sleep(0.05)
  return found
