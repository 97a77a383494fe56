"""Every method on texts: it reads them, or one sentence says that it cannot; nothing is compiled."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import data, methods
from ssl_bench.config import load
from ssl_bench.contract import State
from ssl_bench.planning import make_plan
from ssl_bench.planning.build import builder
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting

CONFIG = Path(__file__).parents[2] / 'configs/identifiers/supervised.yaml'
PIXELS = {
  *('co_training', 'crmatch', 'data2vec', 'densecl', 'dinov2', 'i_jepa', 'ibot', 'ict', 'inpainting'),
  *('jigsaw', 'label_propagation', 'label_spreading', 'ladder', 'mae', 'mixmatch', 'msn', 'raw_pixels'),
  *('reconstruction', 'remixmatch', 'rotation', 'self_training', 'simmim', 'ssl_gan', 'vae_m1', 'vae_m2'),
  *('vat',),
}
GRAPHS = {
  *('bgrl', 'correct_and_smooth', 'dgi', 'grace', 'grand', 'graphmae', 'laplacian_regularization'),
  'poisson_learning',
}
OTHERS = {'byol_a', 'masked_series', 'scarf', 'ts2vec', 'vime'}  # of sounds, series and tables
MORE = {  # what their signatures ask for
  'distill': ['teacher={method: supervised}'],
  'correct_and_smooth': ['teacher={method: supervised}'],
  'fine_tune': ['teacher={method: simclr}'],
  'dino': ['method.crops=0'],
  'lejepa': ['method.crops=0'],
  'swav': ['method.crops=0'],
  'w_mse': ['method.out=4'],
}


@pytest.fixture(scope='module')
def dataset():
  return data.load('identifiers')


@pytest.mark.parametrize(
  'name', [name for name in methods.names() if name not in ('clip', 'siglip')]
)  # which read both
def test_it_reads_texts_or_says_so(name, dataset):
  words = [f'method={name}', 'net.depth=1', 'net.dim=8', *MORE.get(name, ())]
  if name in PIXELS | GRAPHS | OTHERS:
    with pytest.raises(
      BadSetting, match=f'^{name} (learns from|masks patches|looks at places|needs square images|cuts images)'
    ):
      make_plan(load(CONFIG, words), dataset)
    return
  config = load(CONFIG, words)
  make_plan(config, dataset)
  if name in ('distill', 'fine_tune'):  # to look at them takes a trained teacher
    return
  method, tx = builder(structure_of(config, dataset))(numbers_of(config, 100))
  text = {'image': jnp.asarray(dataset.train_images[:8], 'int32'), 'label': np.zeros(8, 'int32')}
  views = {view: {**text, 'index': np.arange(8), 'labeled_index': np.arange(8)} for view in method.views}
  key = jax.random.key(0)
  params, stats, memory = jax.eval_shape(method.init, key, views)
  opt_state = jax.eval_shape(tx.init, params)
  state = State(key, jax.ShapeDtypeStruct((), 'int32'), params, stats, memory, opt_state)
  if method.loss:
    jax.eval_shape(method.loss, state, views, key)
  if method.refresh:
    given = {'labeled': {'index': np.arange(8), 'label': np.zeros(8, 'int32'), 'valid': np.ones(8, bool)}}
    given['unlabeled'] = {'image': dataset.train_images}
    jax.eval_shape(lambda *x: method.refresh(*x, tx), state, given, key)
