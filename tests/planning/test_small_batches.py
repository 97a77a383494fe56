"""Batches of one or two images: what cannot learn from them is refused, whatever the method is called."""

import pytest
from support.tiny_trial import golden_of, make_config

from ssl_bench import data, methods
from ssl_bench.planning import Plan, make_plan, small_batches
from ssl_bench.planning.small_batches import check_small_batches
from ssl_bench.planning.split import labeled_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting

pytestmark = pytest.mark.slow

# Which methods can learn from one image a step with a network whose BatchNorm is over the batch alone: those
# that see more than one image or view in a forward pass, or have a network, a decoder or tokens without it.
ONE = {
  *('adamatch', 'bgrl', 'comatch', 'crmatch', 'dash', 'data2vec', 'deep_label_propagation', 'defixmatch'),
  *('dgi', 'dinov2', 'distill', 'fixmatch', 'flexmatch', 'freematch', 'grand', 'i_jepa', 'ibot'),
  *('inpainting', 'laplacian_regularization', 'mae', 'masked_series', 'masked_tokens'),
  *('meta_pseudo_labels', 'msn', 'noisy_student', 'refixmatch', 'rotation', 'sequencematch', 'simmatch'),
  *('simmim', 'softmatch', 'ssl_gan', 'ts2vec', 'uda', 'vae_m1', 'vae_m2', 'vime'),
}
FAST = ('simclr', 'barlow_twins', 'vicreg', 'fixmatch', 'supervised')


def on_fake(name: str, labeled: int, **changes):
  """A config with as many labeled as unlabeled images a step."""
  golden = golden_of(name)
  sizes = {'labeled': labeled, 'unlabeled_ratio': 1}
  return make_config(
    {'name': name, **golden.SETTINGS}, **{**getattr(golden, 'CHANGES', {}), **changes, 'batch': sizes}
  )


def learns(config) -> bool:
  dataset = data.load(config.dataset)
  labeled, structure = labeled_of(config, dataset), structure_of(config, dataset)
  plan = Plan(config, dataset, labeled, structure, frozenset(), '', '')  # without the other checks
  try:
    check_small_batches(plan)
  except BadSetting as error:
    assert str(error).startswith(config.method['name']) and str(error).endswith(
      'make batch.labeled or batch.unlabeled_ratio larger.'
    )
    return False
  return True


OWN = ('densecl', 'moco', 'graphmae', 'w_mse')  # which say something else of such batches
STEPPING = [n for n in methods.names() if hasattr(golden_of(n), 'objective') and n not in OWN]


@pytest.mark.parametrize(
  'name', [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in STEPPING]
)
def test_one_image_a_step_is_refused_where_nothing_is_learned_from_it(name):
  assert learns(on_fake(name, 1)) == (name in ONE)


@pytest.mark.parametrize(
  ('name', 'sentence'),
  [
    (
      'simclr',
      'simclr: with 1 unlabeled image a step its loss does not depend on the unlabeled ones, so nothing',
    ),
    ('barlow_twins', 'barlow_twins: with 1 unlabeled image a step its loss does not depend'),
    ('vicreg', 'vicreg: with 1 unlabeled image a step its loss or the gradient is not finite'),
    (
      'pi_model',
      'pi_model: with 1 labeled and 1 unlabeled images a step its loss does not depend on the labeled',
    ),
  ],
)
def test_the_sentence_comes_before_anything_is_trained(name, sentence):
  config = on_fake(name, 1)
  with pytest.raises(BadSetting, match=f'^{sentence}'):
    make_plan(config)


@pytest.mark.parametrize('size', [1, 2, 3])
def test_a_loss_of_single_images_and_a_network_without_batchnorm_learn_from_any(size):
  net = {'name': 'convnet', 'width': 4, 'norm': 'group'}
  assert learns(on_fake('supervised', size, net=net))


def test_ordinary_batches_are_not_looked_at(monkeypatch):
  monkeypatch.setattr(small_batches, '_fault', lambda *given: pytest.fail('looked at'))
  assert learns(on_fake('simclr', small_batches.FEW + 1))


def test_federated_clients_with_one_image_a_step_are_refused_too():
  config = on_fake('simclr', 1, federated={'clients': 4, 'local_steps': 2})
  with pytest.raises(BadSetting, match=r'^simclr: with 1 unlabeled image a step'):
    make_plan(config)


@pytest.mark.parametrize(
  ('policy', 'sentence'),
  [
    ('crop(8)', 'crop: padding must be less than the side of the images, 8, not 8.'),
    (
      'cutout(16)',
      'cutout: a square of 16 pixels covers images of 8 by 8 wherever it lies; make it smaller.',
    ),
    (
      'resized_crop(size=5)',
      'augment.strong turns images of (8, 8) into (5, 5); leave size out, or make it that.',
    ),
  ],
)
def test_policies_that_hide_an_image_are_one_sentence(policy, sentence):
  with pytest.raises(BadSetting) as error:
    make_plan(make_config({'name': 'fixmatch'}, augment__strong=policy))
  assert str(error.value) == sentence
