"""`ssl-bench drift`: sets from files and data sets, through a network, and what it refuses."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from support.cli import run, write_configs

from ssl_bench import api, cli, data
from ssl_bench.evaluation.drift import drift, encoders
from ssl_bench.evaluation.scores import softmax


@pytest.fixture
def files(tmp_path, monkeypatch):
  """Three files of which `new` has drifted from `old`."""
  monkeypatch.chdir(tmp_path)
  rng = np.random.default_rng(0)
  old, same, new = (rng.normal(size=(120, 2, 2)) for _ in range(3))
  np.savez('old.npz', images=old, labels=np.zeros(120))
  np.savez('same.npz', same)
  np.save('new.npy', new + 0.8)
  np.savez('words.npz', np.array(['a', 'b']))
  (tmp_path / 'broken.npz').write_text('no arrays')
  return old, new + 0.8


def test_two_files_are_compared_as_the_library_compares_them(files, monkeypatch, capsys):
  code, out, errors = run(monkeypatch, capsys, 'drift', 'old.npz:images', 'new.npy', '--json', 'found.json')
  assert code == 1 and not errors and 'The sets differ, at 0.05 over the 4 tests' in out
  assert max(map(len, out.splitlines())) <= 80
  found, expected = json.loads(Path('found.json').read_text(encoding='utf-8')), drift(*files)
  assert found['tests'] == {name: one._asdict() for name, one in expected.tests.items()}
  assert found['psi']['largest'] == expected.psi.max() and found['rows'] == [120, 120]
  assert f'{found["tests"]["mmd"]["statistic"]:.4f}' in out
  assert run(monkeypatch, capsys, 'drift', 'old.npz:images', 'same.npz')[0] == 0


@pytest.mark.parametrize(
  ('words', 'sentence'),
  [
    (('old.npz', 'new.npy'), 'old.npz holds images, labels; write which, as old.npz:NAME.'),
    (('old.npz:image', 'new.npy'), "old.npz holds no 'image'; did you mean 'images'"),
    (('there.npz', 'new.npy'), "There is no file 'there.npz'"),
    (('broken.npz', 'new.npy'), 'broken.npz is no file of NumPy arrays without objects'),
    (('words.npz', 'new.npy'), 'words.npz holds <U1 of 1 dimensions; a set is rows of numbers.'),
    (('digits', 'new.npy'), "'digits' is no set; write a part of a data set, such as digits:test"),
    (('digitz:test', 'new.npy'), "There is no dataset 'digitz'; did you mean 'digits'"),
    (('digits:test', 'new.npy'), 'need the same features; the first has 64, the second 4'),
    (('new.npy', 'new.npy', '--of', 'predictions'), '--of predictions needs a network; name its record'),
    (
      ('a.json', 'new.npy'),
      "'a.json' is a record: compare it with another record, or name it with --through",
    ),
    (('a.json', 'b.json', '--through', 'a.json'), 'Two records are compared on the images of their own set'),
    (('a.json', 'b.json', '--margin', '2'), 'Invalid value for'),
    (('a.json', 'b.json'), 'a.json is not a readable record: it is no file'),
    (('new.npy', 'new.npy', '--alpha', '0.001'), '999 permutations cannot raise an alarm at alpha 0.001'),
  ],
)
def test_what_cannot_be_compared_is_one_sentence(files, monkeypatch, capsys, words, sentence):
  code, out, errors = run(monkeypatch, capsys, 'drift', *words)
  assert code == 2 and not out and sentence in errors and len(errors.splitlines()) == 1


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A folder in which two trials of other seeds are trained, and their records."""
  folder = tmp_path_factory.mktemp('trained')
  path = write_configs(folder / 'c') / 'supervised.yaml'
  patch = pytest.MonkeyPatch()
  patch.chdir(folder)
  patch.setenv('JAX_COMPILATION_CACHE_DIR', os.environ.get('JAX_COMPILATION_CACHE_DIR', str(folder)))
  for seed in (0, 1):
    patch.setattr(sys, 'argv', ['ssl-bench', 'train', str(path), f'seed={seed}', '--wandb', 'disabled'])
    with pytest.raises(SystemExit) as end:
      cli.main()
    assert not end.value.code
  patch.undo()
  return sorted((folder / 'runs/train/records').glob('*.json'), key=lambda record: record.stat().st_mtime)


@pytest.mark.slow
@pytest.mark.parametrize('of', ['features', 'predictions'])
def test_a_network_looks_at_both_sets(trained, monkeypatch, capsys, tmp_path, of):
  monkeypatch.chdir(tmp_path)
  dataset, network = data.load('fake'), api.load_trained(trained[0])
  np.save('dark.npy', dataset.test_images // 4)
  words = ('--through', trained[0], '--of', of, '--json', 'found.json', '--permutations', 199)
  code, out, _ = run(monkeypatch, capsys, 'drift', 'fake:train', 'dark.npy', *words)
  look = network.features if of == 'features' else lambda images: softmax(network.logits(images))
  expected = drift(look(dataset.train_images), look(dataset.test_images // 4), permutations=199)
  found = json.loads((tmp_path / 'found.json').read_text(encoding='utf-8'))
  assert found['tests']['energy']['statistic'] == pytest.approx(expected.tests['energy'].statistic)
  assert code == 1 and of in out
  np.save('small.npy', np.zeros((30, 4, 4, 1), 'uint8'))
  code, _, errors = run(monkeypatch, capsys, 'drift', 'small.npy', 'small.npy', *words)
  assert code == 2 and 'Images must be uint8 [n, ' in errors


@pytest.mark.slow
def test_two_records_are_compared_on_the_same_images(trained, monkeypatch, capsys, tmp_path):
  monkeypatch.chdir(tmp_path)
  old, new = trained
  code, out, _ = run(monkeypatch, capsys, 'drift', old, old)
  assert code == 0 and 'The old head may stay as it is.' in out
  code, out, _ = run(monkeypatch, capsys, 'drift', old, new, '--json', 'found.json')
  found = json.loads((tmp_path / 'found.json').read_text(encoding='utf-8'))
  dataset, networks = data.load('fake'), [api.load_trained(path) for path in trained]
  seen = [network.features(dataset.test_images) for network in networks]
  assert found['cka'] == pytest.approx(encoders.linear_cka(*seen))
  assert found['procrustes'] == pytest.approx(encoders.procrustes(*seen))
  assert code == (found['head']['verdict'] != 'keep') and f'{100 * found["head"]["rotated"]:.2f}' in out
  assert max(map(len, out.splitlines()[3:])) <= 80  # behind the names of the records
