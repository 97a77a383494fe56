"""Planetoid's graphs: read from pickles as the official ones are written, and prepared."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from ssl_bench import data
from ssl_bench.data import planetoid
from ssl_bench.settings.signature import BadSetting

SHARED = Path(__file__).parents[2].parent / 'shared' / 'data' / 'planetoid'
needs_cora = pytest.mark.skipif(not (SHARED / 'cora.npz').is_file(), reason='cora.npz is not on this machine')


def official(folder: Path) -> dict[str, np.ndarray]:
  """Writes a graph of 1,510 nodes as the official files have it, and returns what it is."""
  rng = np.random.Generator(np.random.PCG64(0))
  n, width, classes = 1_510, 12, 3
  features = (rng.random((n, width)) < 0.3).astype(np.float32)
  labels = np.eye(classes)[rng.integers(0, classes, n)]
  missing = 1_505  # between the test nodes, and none of them
  features[missing], labels[missing] = 0, 0
  test = np.array([i for i in range(509, n) if i != missing])
  order = rng.permutation(test)
  edges = np.unique(np.sort(rng.integers(0, n, (3_000, 2)), 1), axis=0)
  graph = {int(i): [] for i in range(n)}
  for a, b in edges.tolist():
    graph[a].append(b)
    graph[b].append(a)
    graph[b].append(a)  # the official lists hold duplicates
  parts = {
    'x': sparse.csr_matrix(features[:9]),
    'y': labels[:9],
    'allx': sparse.csr_matrix(features[:509]),
    'ally': labels[:509],
    'tx': sparse.csr_matrix(features[order]),
    'ty': labels[order],
    'graph': graph,
  }
  for part, content in parts.items():
    (folder / f'ind.cora.{part}').write_bytes(pickle.dumps(content, 2))
  (folder / 'ind.cora.test.index').write_text('\n'.join(map(str, order)))
  edges = edges[edges[:, 0] != edges[:, 1]]
  return {'features': features, 'labels': labels, 'edges': edges, 'test': test, 'missing': missing}


def test_the_official_files_are_put_together(tmp_path):
  right = official(tmp_path)
  found = planetoid.read('cora', tmp_path)
  n = len(right['labels'])
  dense = sparse.csr_matrix((found.values, found.columns, found.starts), shape=(n, 12)).toarray()
  np.testing.assert_array_equal(dense, right['features'])
  named = right['labels'].any(1)
  np.testing.assert_array_equal(found.labels[named], right['labels'].argmax(1)[named])
  assert found.labels[right['missing']] == -1
  np.testing.assert_array_equal(found.edges, right['edges'])
  np.testing.assert_array_equal(found.test, right['test'])
  np.testing.assert_array_equal(found.train, np.arange(9))
  arrays = planetoid.arrays_of(found)
  assert right['missing'] in arrays['unlabeled_images'] and right['missing'] not in arrays['train_images']
  np.testing.assert_array_equal(arrays['train_images'][arrays['fold_0']], found.train)
  assert not np.isin(arrays['train_images'], np.union1d(found.validation, found.test)).any()


class Evil:
  def __reduce__(self):
    return print, ('called',)


@pytest.mark.parametrize('content', [b'', b'no pickle', pickle.dumps(Evil())])
def test_a_file_that_is_no_official_one_is_not_run(tmp_path, content, capsys):
  official(tmp_path)
  (tmp_path / 'ind.cora.x').write_bytes(content)
  with pytest.raises(BadSetting, match=r'ind\.cora\.x cannot be read'):
    planetoid.read('cora', tmp_path)
  assert 'called' not in capsys.readouterr().out


def test_missing_and_wrong_files_are_one_sentence(tmp_path):
  with pytest.raises(BadSetting, match=r'has no ind\.cora\.x; give all of ind\.cora\.x, '):
    data.prepare('cora', source=tmp_path, data_dir=tmp_path / 'data')
  official(tmp_path)
  with pytest.raises(BadSetting, match='holds another graph than cora'):
    data.prepare('cora', source=tmp_path, data_dir=tmp_path / 'data')
  with pytest.raises(BadSetting, match=r'cora is not in .*; get it with: ssl-bench data prepare cora'):
    data.load('cora', data_dir=tmp_path / 'data')


@needs_cora
def test_cora_is_prepared_read_and_checked(tmp_path):
  said = []
  data.prepare('cora', source=SHARED, data_dir=tmp_path, progress=said.append)
  cora = data.load('cora', data_dir=tmp_path)
  assert cora.kind == 'graph' and cora.shape == (1_433,)
  assert (cora.graph.count, len(cora.graph.weights), len(cora.graph.values)) == (2_708, 2 * 5_278, 49_216)
  counts = np.bincount(cora.train_labels[cora.folds[0]])
  np.testing.assert_array_equal(counts, np.full(7, 20))
  sums = np.bincount(cora.graph.rows, cora.graph.values, 2_708)
  np.testing.assert_allclose(sums, 1, atol=1e-6)
  found = data.check('cora', data_dir=tmp_path)
  assert not found.wrong and 'the known one' in found.verdict
  assert np.isin(cora.test_images, cora.unlabeled_images).all()
  data.prepare('cora', source=SHARED, data_dir=tmp_path, progress=said.append)
  assert 'prepared already' in said[-1]
