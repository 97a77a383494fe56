"""Features that nodes take from other rows: shuffled, shared and masked, against graphs that hold copies."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench.contract import Nodes, concatenate
from ssl_bench.data.fake import fake_by_name
from ssl_bench.methods.graphs.dgi import with_shuffled
from ssl_bench.methods.graphs.graphmae import draw, with_masked
from ssl_bench.nets import appnp, gcn, mlp, sgc
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)
NETS = {
  'gcn': gcn.gcn(widths=(5, 4), bias=True),
  'sgc': sgc.sgc(),
  'appnp': appnp.appnp(widths=(5,), steps=2),
  'mlp': mlp.mlp(widths=(5,), norm='none'),
}


@pytest.fixture(scope='module')
def nodes():
  graph = fake_by_name('fake_graph').graph
  return jax.tree.map(jnp.asarray, Nodes(graph, np.array([3, 0, 311, 17], 'int32')))


def stored_as(nodes, features):
  """The same nodes with these features [count, width], each row its own, as entries."""
  rows, columns = np.nonzero(features)
  entries = jnp.asarray(rows), jnp.asarray(columns), jnp.asarray(features[rows, columns])
  graph = replace(nodes.graph, origin=None, height=None, **dict(zip(('rows', 'columns', 'values'), entries)))
  return nodes.with_graph(graph)


@pytest.mark.parametrize('name', NETS)
def test_every_net_reads_the_features_that_a_node_takes(nodes, name):
  net = NETS[name]
  params, stats = net.init(KEY, nodes)
  origin = jax.random.randint(KEY, (nodes.graph.count,), 0, nodes.graph.count)
  taken = nodes.with_graph(replace(nodes.graph, origin=origin))
  copied = stored_as(nodes, np.asarray(nodes.graph.features())[np.asarray(origin)])
  one, other, plain = (net.apply(params, stats, x, train=False)[0] for x in (taken, copied, nodes))
  np.testing.assert_allclose(one, other, atol=1e-6)
  assert not np.allclose(one, plain, atol=1e-3)


def test_a_union_keeps_what_its_graphs_take(nodes):
  order = jnp.arange(nodes.graph.count)[::-1]
  taken = nodes.with_graph(replace(nodes.graph, origin=order))
  parts = [nodes, taken, nodes.with_graph(with_masked(nodes.graph, order[:9], order[:3], jnp.ones(64)))]
  found = concatenate(parts)
  np.testing.assert_array_equal(
    found.graph.features(), np.concatenate([part.graph.features() for part in parts])
  )
  np.testing.assert_array_equal(found.features(), np.concatenate([part.features() for part in parts]))


def test_the_shuffled_graph_shares_the_rows_of_the_graph(nodes):
  order = jax.random.permutation(KEY, nodes.graph.count)
  both = with_shuffled(nodes, order)
  assert both.graph.values is nodes.graph.values and both.graph.stored == nodes.graph.count
  shuffled = stored_as(nodes, np.asarray(nodes.graph.features())[np.asarray(order)])
  net = NETS['gcn']
  params, stats = net.init(KEY, nodes)
  look = lambda x: net.apply(params, stats, x, train=False)[0]
  np.testing.assert_allclose(look(both), np.concatenate([look(nodes), look(shuffled)]), atol=1e-6)


def test_masked_nodes_have_the_token_or_a_random_nodes_features(nodes):
  everything = Nodes(nodes.graph, jnp.arange(nodes.graph.count)[::-1])
  drawn = draw(KEY, {'nodes': {'image': everything}}, masking=0.5, replaced=0.1)
  masked, others = drawn['masked'], drawn['others']
  assert (len(masked), len(set(masked.tolist())), len(others)) == (180, 180, 18)
  token = jnp.arange(64.0)
  found = np.asarray(with_masked(nodes.graph, masked, others, token).features())
  right = np.array(nodes.graph.features())
  right[masked[18:]], right[masked[:18]] = token, right[others]
  np.testing.assert_array_equal(found, right)


def test_only_nodes_of_the_batch_are_masked(nodes):
  masked = draw(KEY, {'nodes': {'image': nodes}}, masking=0.5, replaced=0.0)['masked']
  assert len(masked) == 2 and set(masked.tolist()) < {3, 0, 311, 17}
  with pytest.raises(BadSetting, match=r'masking 0\.1 of 4 nodes masks none; raise it'):
    draw(KEY, {'nodes': {'image': nodes}}, masking=0.1, replaced=0.0)
