"""Scores of anomalies against scikit-learn and SciPy, and what a trial records of them."""

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.metrics import precision_score, roc_auc_score
from support.tiny_trial import make_config

from ssl_bench import api, data, measures, methods, nets
from ssl_bench.contract import State
from ssl_bench.data import stress
from ssl_bench.evaluation import anomaly
from ssl_bench.methods.masked import masked_series
from ssl_bench.planning import identity, make_plan
from ssl_bench.settings.signature import BadSetting, facts_of

RNG = np.random.default_rng(0)
TRAIN, NORMAL, ODD = (RNG.normal(at, 1, (n, 6)) for at, n in ((0, 60), (0, 40), (0.8, 9)))


def both(scores):
  return np.r_[np.zeros(len(scores.normal)), np.ones(len(scores.anomalous))], np.concatenate(scores)


@pytest.mark.parametrize('digits', [0, 1, 12])  # few digits make ties
def test_auroc_is_scikit_learns(digits):
  scores = anomaly.Scores(*(one[:, 0].round(digits) for one in (NORMAL, ODD)))
  assert anomaly.auroc(*scores) == pytest.approx(roc_auc_score(*both(scores)), abs=1e-12)


def test_precision_is_the_share_of_anomalies_among_the_k_largest():
  scores = anomaly.Scores(NORMAL[:, 0], ODD[:, 0])
  truth, values = both(scores)
  chosen = values >= np.sort(values)[-len(ODD)]
  assert anomaly.precision_at_k(*scores) == pytest.approx(precision_score(truth, chosen))
  assert anomaly.precision_at_k([0, 1, 2], [3, 4]) == 1 and anomaly.precision_at_k([5, 6], [3, 4]) == 0


def test_precision_of_a_tie_is_its_mean_over_all_orders():
  normal, odd = np.array([3.0, 2, 2, 2, 1]), np.array([4.0, 2, 2, 0])
  truth, values = np.r_[np.zeros(5), np.ones(4)], np.r_[normal, odd]
  tried = []
  for _ in range(4000):
    order = RNG.permutation(9)
    top = order[np.argsort(-values[order], kind='stable')][:4]
    tried.append(truth[top].mean())
  assert anomaly.precision_at_k(normal, odd) == pytest.approx((1 + 2 * 2 / 5) / 4)
  assert np.mean(tried) == pytest.approx(anomaly.precision_at_k(normal, odd), abs=0.01)


def test_neighbors_are_those_of_features_at_length_one():
  unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
  expected = np.sort(cdist(unit(NORMAL), unit(TRAIN)), 1)[:, 4]
  np.testing.assert_allclose(anomaly.neighbor_distance(TRAIN, NORMAL), expected, atol=1e-9)
  np.testing.assert_allclose(
    anomaly.neighbor_distance(TRAIN[:3], NORMAL), cdist(unit(NORMAL), unit(TRAIN[:3])).max(1), atol=1e-9
  )


def test_mahalanobis_has_a_shrunk_covariance_and_no_unit():
  fitted = LedoitWolf().fit(TRAIN)
  off = NORMAL - TRAIN.mean(0)
  expected = np.einsum('ni,ij,nj->n', off, np.linalg.inv(fitted.covariance_), off)
  for scale in (1, 1e-3, 1e4):
    np.testing.assert_allclose(anomaly.mahalanobis(TRAIN * scale, NORMAL * scale), expected, rtol=1e-6)


def test_features_that_are_not_finite_have_no_worth_and_collapsed_ones_are_a_guess():
  broken = NORMAL.copy()
  broken[3, 2] = np.nan
  found = anomaly.told_apart(anomaly.by_features(TRAIN, broken, ODD))
  assert all(np.isnan(value) for value in found.values()) and len(found) == 4
  one = anomaly.told_apart(anomaly.by_features(np.ones((9, 3)), np.ones((6, 3)), np.ones((2, 3))))
  assert one['knn_auroc'] == one['mahalanobis_auroc'] == 0.5 and one['knn_precision'] == 0.25


def test_a_class_that_is_left_out_is_in_no_part_and_its_test_images_are_anomalies():
  whole = data.load('digits')
  found = stress.without_class(whole, 3)
  for part in ('train', 'validation', 'test'):
    kept = getattr(whole, f'{part}_labels') != 3
    for what in ('images', 'labels', 'index'):
      np.testing.assert_array_equal(getattr(found, f'{part}_{what}'), getattr(whole, f'{part}_{what}')[kept])
  np.testing.assert_array_equal(found.anomaly_images, whole.test_images[whole.test_labels == 3])
  assert stress.without_class(found, 3) is found and found.classes == 10


@pytest.mark.parametrize(
  ('name', 'anomaly', 'sentence'),
  [
    ('digits', 10, 'digits has no class 10 to leave out; its classes are 0 to 9.'),
    (
      'breast_cancer',
      1,
      'breast_cancer has no class 1 to leave out; its classes are 2, and two must be left.',
    ),
    (
      'digits_captions',
      1,
      'digits_captions has a graph, captions, folds or images without labels, from which',
    ),
  ],
)
def test_a_class_that_cannot_be_left_out_is_one_sentence(name, anomaly, sentence):
  with pytest.raises(BadSetting, match=f'^stress.anomaly: {sentence}'):
    stress.without_class(data.load(name), anomaly)


def test_an_anomaly_goes_with_no_other_choice_of_classes():
  for other in ({'mismatch': 0.5}, {'imbalance': 10}):
    with pytest.raises(BadSetting, match='stress: anomaly takes a class away, as mismatch and imbalance do'):
      make_config({'name': 'supervised'}, stress={'anomaly': 1, **other})


def test_without_labels_no_split_seed_counts():
  """One pretraining serves all splits; and no other config has another identity."""
  plans = [
    make_plan(make_config({'name': 'simclr', 'hidden': 8, 'out': 8}, split_seed=seed, stress={'anomaly': 1}))
    for seed in (0, 1)
  ]
  assert len({plan.training_id for plan in plans}) == 1 and len({plan.trial_id for plan in plans}) == 2
  plain = make_config({'name': 'simclr', 'hidden': 8, 'out': 8})
  assert identity.identify(plain, 'f') == identity.identify(plain.model_copy(update={'stress': None}), 'f')


def made(name, shape, net, **settings):
  """A method without batch statistics on 6 random examples: itself, its state, views, and the examples."""
  facts = {'shape': shape, 'columns': (1,) * shape[0], 'classes': 3}
  encoder = nets.get(net.pop('name'))(**net)
  factory = methods.get(name)
  method = factory(encoder, *(facts[fact] for fact in facts_of(factory)[1:]), **settings)
  examples = np.asarray(jax.random.uniform(jax.random.key(1), (6, *shape), minval=-1))
  views = {view: {'image': examples, 'label': np.arange(6) % 3} for view in method.views}
  state = State(jax.random.key(0), 0, *method.init(jax.random.key(0), views), ())
  return method, state, views, examples


MLP = {'name': 'mlp', 'widths': [8], 'norm': 'none'}
VIT = {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2, 'patch': 2}


@pytest.mark.parametrize(
  ('name', 'shape', 'net', 'settings', 'term', 'factor'),
  [
    ('mae', (4, 4, 1), VIT, {'dim': 8, 'depth': 1, 'heads': 2}, 'reconstruction', 1),
    ('reconstruction', (4, 4, 1), MLP, {'hidden': 8}, 'reconstruction', 1),
    ('vae_m1', (4, 4, 1), MLP, {'latent': 3, 'hidden': 8}, 'reconstruction', 1),
    ('vime', (7,), MLP, {'masking': 1e-7, 'weight': 2.0}, 'values', 2),
  ],
)
def test_the_error_of_reconstruction_is_the_term_of_the_loss(name, shape, net, settings, term, factor):
  """Where a net has no batch statistics, the mean over examples; with next to no noise or corruption."""
  method, state, views, examples = made(name, shape, dict(net), **settings)
  if name == 'vae_m1':  # a deviation of exp(-30)
    head = state.params['posterior']['Dense_0']
    head = {'kernel': head['kernel'].at[:, 3:].set(0), 'bias': head['bias'].at[3:].set(-60)}
    state = state._replace(params={**state.params, 'posterior': {'Dense_0': head}})
  key = jax.random.key(5)
  error = method.reconstruction_error(state, examples, key)
  terms = method.loss(state, views, key)[1].metrics
  assert error.shape == (6,) and np.std(error) > 0
  np.testing.assert_allclose(factor * error.mean(), terms[f'loss/{term}'], rtol=1e-5)


def test_the_error_of_hidden_values_is_of_each_series_alone():
  method, state, views, series = made(
    'masked_series', (12, 2), {'name': 'resnet1d', 'width': 4, 'norm': 'layer'}
  )
  key = jax.random.key(5)
  hidden = np.asarray(
    masked_series.draw(key, {'series': {'image': series}}, masking=0.15, span=3.0)['hidden']
  )
  counts, error = hidden.sum((1, 2)), method.reconstruction_error(state, series, key)
  np.testing.assert_allclose(
    (error * counts).sum() / counts.sum(), method.loss(state, views, key)[0], rtol=1e-5
  )
  assert error.shape == (6,) and (np.asarray(error) > 0).sum() == (counts > 0).sum()


CASES = {
  'reconstruction': ('fake', {'name': 'reconstruction', 'hidden': 16}, {}),
  'vae_m1': ('fake', {'name': 'vae_m1', 'latent': 4, 'hidden': 16}, {}),
  'mae': (
    'fake',
    {'name': 'mae', 'dim': 8, 'depth': 1, 'heads': 2},
    {'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2}},
  ),
  'vime': ('fake_table', {'name': 'vime'}, {}),
  'masked_series': ('fake_series', {'name': 'masked_series'}, {'net': {'name': 'resnet1d', 'width': 4}}),
  'supervised': ('fake_series', {'name': 'supervised'}, {'net': {'name': 'resnet1d', 'width': 4}}),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
def test_a_trial_records_its_scores_where_there_are_anomalies(name):
  dataset, method, more = CASES[name]
  plan = make_plan(make_config(method, dataset=dataset, steps=4, stress={'anomaly': 2}, **more))
  fitted = api.train(plan)
  found = api.evaluate(plan, fitted)['anomaly']
  assert found['count'] == (data.load(dataset).test_labels == 2).sum()
  scores = {'knn', 'mahalanobis', *(() if name == 'supervised' else ('reconstruction',))}
  assert set(found) == {f'{s}_{what}' for s in scores for what in ('auroc', 'precision')} | {'count'}
  assert all(0 <= value <= 1 for key, value in found.items() if key != 'count')


def test_a_trial_without_anomalies_records_none():
  rows = [row for row in measures.all_measures() if row.table == 'anomaly']
  seen = type('Seen', (), {'anomaly': {}, 'dataset': data.load('fake')})
  assert len(rows) == 7 and all(row.function(seen) is measures.ABSENT for row in rows)
