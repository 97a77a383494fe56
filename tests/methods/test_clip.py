"""CLIP's zero-shot classifier and its shared space, in NumPy; and a trial, with retrieval in its record."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.cli import write_configs
from support.tiny_method import tiny_method
from support.tiny_trial import CLASSES, run, tiny_trial
from support.trees import host

from ssl_bench.config import load
from ssl_bench.contract import with_ema
from ssl_bench.evaluation import predict
from ssl_bench.planning import make_plan
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

CLIP = """
dataset: fake_captions
method: {name: clip, out: 8}
text_net: {name: sequence, dim: 8, depth: 1, heads: 2}
"""


@pytest.fixture(scope='module')
def trained():
  tiny = tiny_trial('clip')
  return tiny, run(tiny).state


def embed(trained, kind, inputs):
  tiny, state = trained
  return predict.embed(tiny.program, state, tiny.numbers, kind, inputs)


@pytest.mark.slow
def test_the_space_is_of_unit_vectors_in_chunks_alike(trained):
  tiny, _ = trained
  for kind, inputs in (('image', tiny.dataset.test_images), ('text', tiny.dataset.prompts.reshape(-1, 12))):
    vectors = embed(trained, kind, inputs)
    assert vectors.shape == (len(inputs), 8)
    length = np.linalg.norm(vectors, axis=1)  # zero where no unit of the tiny network fires
    assert np.logical_or(np.isclose(length, 1), length == 0).all() and length.mean() > 0.9
    np.testing.assert_allclose(embed(trained, kind, inputs[3:5]), vectors[3:5], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_classes_are_told_by_the_mean_of_their_prompts(trained):
  tiny, state = trained
  images, prompts = embed(trained, 'image', tiny.dataset.test_images), tiny.dataset.prompts
  named = np.stack([embed(trained, 'text', ways).astype('float64').mean(0) for ways in prompts])
  named /= np.linalg.norm(named, axis=1, keepdims=True)
  scale = np.exp(host(state.memory['ema'])["['scale']['log']"])
  seen = predict.observe(tiny.program, state, tiny.numbers, tiny.dataset.test_images)
  assert seen.logits.shape == (len(images), CLASSES)
  np.testing.assert_allclose(seen.logits, scale * images @ named.T, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_average_is_what_embeds(trained):
  tiny, state = trained
  inner = state._replace(memory=state.memory['inner'])
  method, few = tiny_method(tiny), jnp.asarray(tiny.dataset.prompts[0])
  look = with_ema(method, decay=0.5).embed
  averaged = method.embed(inner._replace(params=state.memory['ema']), few, 'text')
  np.testing.assert_array_equal(look(state, few, 'text'), averaged)
  assert not np.array_equal(averaged, method.embed(inner, few, 'text'))


@pytest.mark.slow
def test_another_caption_in_another_step(trained):
  """The stream draws one caption of an image's own, and over steps all of them."""
  from ssl_bench import parallel
  from ssl_bench.planning.batch import drawer

  tiny, _ = trained
  structure = structure_of(tiny.config, tiny.dataset)
  draw = jax.jit(partial(drawer(structure, parallel.make_mesh()), n_labels=20))
  which = []
  for step in range(20):
    batch = jax.device_get(draw(tiny.data, jax.random.key(0), step))['unlabeled']
    assert batch.keys() == {'image', 'index', 'caption'}
    own = tiny.dataset.captions[batch['index']]
    found = (own == batch['caption'][:, None]).all(-1)
    assert (found.sum(1) == 1).all()
    which += found.argmax(1).tolist()
  counts = np.bincount(which)
  assert len(counts) == 3 and counts.min() > 80  # of 320, a third each


@pytest.mark.slow
def test_captions_are_nobodys_who_has_no_net_for_them():
  from ssl_bench import parallel
  from ssl_bench.planning.batch import drawer

  tiny, captions = tiny_trial('simclr'), tiny_trial('clip')
  structure = structure_of(tiny.config, captions.dataset)
  draw = drawer(structure, parallel.make_mesh())
  drawn = jax.eval_shape(draw, captions.data, jax.random.key(0), 0, 20)
  assert drawn['unlabeled'].keys() == {'image', 'index'}


@pytest.mark.slow
def test_a_trial_is_marked_as_seeing_all_labels_and_has_recall(tmp_path):
  folder = write_configs(tmp_path / 'configs', clip=CLIP)
  record = run_trial(load(folder / 'clip.yaml'), RunFolder(tmp_path / 'runs'))
  assert record['status'] == 'done', record['error']
  assert record['labels_seen'] == 'all' and record['metrics']['classifier'] == 'own'
  assert len(record['metrics']['retrieval']) == 6
  assert record['config']['text_net']['name'] == 'sequence'


def test_what_does_not_fit_together_is_told(tmp_path):
  folder = write_configs(tmp_path, clip=CLIP)
  with pytest.raises(BadSetting, match=r'^clip reads captions and needs a net for them, such as text_net'):
    load(folder / 'clip.yaml', ['text_net=null'])
  with pytest.raises(BadSetting, match=r'^simclr reads no captions; leave text_net out'):
    load(folder / 'clip.yaml', ['method=simclr'])
  with pytest.raises(BadSetting, match='text_net sequence has no setting'):
    load(folder / 'clip.yaml', ['text_net.width=3'])
  config = load(folder / 'clip.yaml', ['dataset=digits'])
  with pytest.raises(BadSetting, match=r'^clip reads captions, and digits has none; use dataset=digits_'):
    make_plan(config)
