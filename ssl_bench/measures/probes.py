"""Probes of frozen features: what a classifier that sees nothing else makes of them."""

from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import scores
from ssl_bench.measures import ABSENT, Measure, part_of, share_of_test

if TYPE_CHECKING:
  from ssl_bench.evaluation.linear import Probe
  from ssl_bench.evaluation.trained import Trained

GRAPH = "a graph of the training part's features, with the row's labels"
WU = 'Wu et al. 2018 (InstDisc), section 3.4; temperature 0.07'


def _accuracy(t: 'Trained', probe: 'Probe | None') -> Any:
  if probe is None:
    return ABSENT
  return scores.accuracy(probe.logits(t.features.test), t.dataset.test_labels)


def _strength(name: str, title: str, part: str, attribute: str) -> Measure:
  """The L2 penalty that a linear probe chose."""

  def strength(t: 'Trained') -> Any:
    probe = getattr(t, attribute)
    return ABSENT if probe is None else probe.l2

  hint = 'L2 penalty with the least NLL on the validation part'
  path = ('metrics', part, 'l2')
  return Measure(name, path, title, strength, hint=hint, digits=5, range=(0, None))


def _neighbors(k: int, **more: Any) -> Measure:
  return share_of_test(
    f'knn{k}',
    ('metrics', 'knn', str(k)),
    'kNN' if more.get('main') else f'kNN {k}',
    part_of('knn', k),
    hint=f'cosine, k = {k}, bank of the whole training part',
    source=WU,
    table='probes',
    **more,
  )


def _on_a_graph(name: str, source: str) -> tuple[Measure, Measure]:
  """Accuracy on test images, and on the graph's own images without a label."""
  title = name.replace('_', ' ')
  same: dict[str, Any] = {'unit': '%', 'source': source, 'digits': -1, 'table': 'probes', 'better': 'higher'}
  return (
    Measure(
      name,
      ('metrics', name, 'accuracy'),
      title,
      part_of(name, 'accuracy'),
      hint=f'{GRAPH}: accuracy on test images',
      values='share',
      **same,
    ),
    Measure(
      f'{name}_transductive',
      ('metrics', name, 'transductive'),
      f'{title}, transductive',
      part_of(name, 'transductive'),
      hint=f'{GRAPH}: on its images without a label',
      values='share',
      **same,
    ),
  )


MEASURES = (
  share_of_test(
    'linear',
    ('metrics', 'linear', 'accuracy'),
    'linear, all',
    lambda t: _accuracy(t, t.probe),
    hint='linear probe on frozen features, fitted with the labels of the whole training part',
    source='logistic regression, its L2 chosen by validation NLL',
    table='probes',
    main=True,
    published=('linear_accuracy',),
  ),
  _strength('linear_l2', 'L2 of linear, all', 'linear', 'probe'),
  share_of_test(
    'linear_budget',
    ('metrics', 'linear_budget', 'accuracy'),
    'linear, row',
    lambda t: _accuracy(t, t.probe_of_few),
    hint="the same probe, fitted with the row's labels",
    table='probes',
    main=True,
  ),
  _strength('linear_budget_l2', 'L2 of linear, row', 'linear_budget', 'probe_of_few'),
  share_of_test(
    'linear_rows',
    ('metrics', 'linear_rows', 'accuracy'),
    'linear, rows of length 1',
    part_of('rows', 'accuracy'),
    hint="logistic regression of each class against the rest on features of length 1, with the row's labels",
    source='Zhu et al. 2020 and Thakoor et al. 2022, their codes; C by validation accuracy',
    table='probes',
  ),
  _neighbors(20, main=True),
  _neighbors(200, published=('knn_accuracy',)),
  *_on_a_graph('label_propagation', 'Zhu & Ghahramani 2002'),
  *_on_a_graph('label_spreading', 'Zhou et al. 2004'),
)
