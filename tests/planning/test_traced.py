"""A plugin's mistake is one sentence before anything is trained: whose it is, and where, or what is right."""

import pytest

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.planning import make_plan
from ssl_bench.plugins import files
from ssl_bench.settings.signature import BadSetting

FILE = '''
import jax
import jax.numpy as jnp
from ssl_bench.contract import Aux, Method, View
from ssl_bench.nets import core
from ssl_bench.nets import heads
from ssl_bench.nets.mlp import mlp


def entropy(encoder, classes, *, weight: float = 1.0):
  """Labels, and confident predictions on the rest (Grandvalet and Bengio, 2004)."""
  model = core.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    images = jnp.concatenate([views['labeled']['image'], views['weak']['image']])
    out, stats = model.apply(state.params, state.stats, images, train=True)
    n = len(views['labeled']['image'])
    logs = jax.nn.log_softmax(out['head'])
    known = -jnp.take_along_axis(logs[:n], views['labeled']['label'][:, None], 1).mean()
    unsure = -(jnp.exp(logs[n:]) * logs[n:]).sum(-1).mean()
    return known + weight * unsure, Aux(stats, (), {'loss/labeled': known, 'loss/entropy': weight * unsure})

  views = {'labeled': View('labeled', 'weak'), 'weak': View('unlabeled', 'weak')}
  encode, predict = core.output(model, 'encoder'), core.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict)


def slim(*, width: int = 8):
  return mlp(widths=(width,), norm='none')


def darken(*, by: float = 0.5):
  return lambda key, image: (image * by).astype('uint8')


PLUGINS = {'methods': [entropy], 'nets': [slim], 'augment': [darken]}
'''


def plan(folder, text=FILE, width=7):
  """The plan of a trial with a plugin file of that text; of another `width`, nothing that is kept is used."""
  (folder / 'mine.py').write_text(text)
  (folder / '_protocol.yaml').write_text(
    'plugins: [mine.py]\ndataset: fake\nlabels: 20\nsteps: 5\noptimizer: sgd\n'
    'batch: {labeled: 4, unlabeled_ratio: 2}\n'
    f'net: {{name: slim, width: {width}}}\naugment: {{weak: darken(by={width / 100}), strong: none}}\n'
  )
  try:
    return make_plan(load(folder / 'entropy.yaml'), data.load('fake'))
  finally:
    files.forget()


def test_the_file_without_a_mistake_is_planned(tmp_path):
  assert plan(tmp_path).structure.method.name == 'entropy'


METHOD, NET = 'method entropy of file', 'The net slim of file'
MISTAKES = {
  'a fact': (
    'encoder, classes, *',
    'encoder, klasses, *',
    "asks for 'klasses', which is no fact .* 'classes'",
  ),
  'no views': ('views, init', 'None, init', r"views of method entropy must be a dict of View\('labeled'"),
  'a stream': (
    "View('unlabeled'",
    "View('unlabelled'",
    "'weak' .* cannot be 'unlabelled'; did you .*'unlabeled'",
  ),
  'a policy': ("View('labeled', 'weak'", "View('labeled', 'week'", "cannot be 'week'; did you mean 'weak'"),
  'no method': ('return Method(views', 'Method(views', 'must return a Method, not nothing'),
  'in the factory': ('views = {', 'views = nothing or {', f'{METHOD}.* fails at line LINE: NameError'),
  'two of three': (
    "return *model.init(key, views['labeled']['image']), ()",
    "return model.init(key, views['labeled']['image'])",
    f'init of the {METHOD}.* must return .params, stats, memory.',
  ),
  'in init': (
    "init(key, views['labeled']",
    "init(key, views['labelled']",
    'fails in init at line LINE: KeyError',
  ),
  'one of two': (
    "unsure, Aux(stats, (), {'loss/labeled': known, 'loss/entropy': weight * unsure})",
    'unsure',
    f'loss of the {METHOD}.* must return .value, Aux',
  ),
  'a loss by image': (
    'known + weight * unsure, Aux',
    'known + weight * logs, Aux',
    r'must return one number for the batch, that is float \[\], not float32 \[12, 10\]',
  ),
  'a view': (
    "jnp.concatenate([views['labeled']['image'], views['weak']",
    "jnp.concatenate([views['labeled']['image'], views['w']",
    'fails in loss at line LINE: KeyError',
  ),
  'a name': ('len(views', 'length(views', "fails in loss at line LINE: NameError: name 'length'"),
  'logits': (
    "encode, predict = core.output(model, 'encoder')",
    "encode, predict = core.output(model, 'encoder'), lambda s, x: x[:, 0, 0, 0]\n  _ = ''",
    r'predict of the .* must return float \[batch, 10\], not float32 \[2\]',
  ),
  'features': (
    "encode, predict = core.output(model, 'encoder')",
    "encode, predict = (lambda s, x: {'a': x})",
    r'encode of the .* must return float \[batch, features\], not a value of type dict',
  ),
  'no net': ("return mlp(widths=(width,), norm='none')", 'width', 'must return a Net, not nothing'),
  'in the net': ("norm='none')", "nrom='none')", f'{NET}.* fails at line LINE: TypeError'),
  'an image out': (
    "return mlp(widths=(width,), norm='none')",
    'return core.Net(lambda key, x: ({}, {}), lambda p, s, x, train, key: (x, s))',
    rf'{NET}.* must return float \[batch, features\], not float32 \[2, 8, 8, 1\]',
  ),
  'no train': (
    "return mlp(widths=(width,), norm='none')",
    'return core.Net(lambda key, x: ({}, {}), lambda p, s, x: (x, s))',
    rf"{NET}.* fails on a batch of .*: TypeError: .* unexpected keyword argument 'train'",
  ),
  'no operation': (
    "return lambda key, image: (image * by).astype('uint8')",
    'by',
    r'must return a function \(key, image\)',
  ),
  'no key': (
    'lambda key, image',
    'lambda image',
    r'darken of file .* fails on an image of \[8, 8, 1\]: TypeError',
  ),
  'a float image': (
    ".astype('uint8')",
    '',
    r'must give an image, uint8 \[8, 8, 1\], not float32 \[8, 8, 1\]',
  ),
  'a flat image': (
    '(image * by)',
    '(image[..., 0] * by)',
    r'must give an image, uint8 \[8, 8, 1\], not uint8 \[8, 8\]',
  ),
}


@pytest.mark.parametrize('what', MISTAKES)
def test_a_mistake_is_one_sentence(what, tmp_path):
  old, new, sentence = MISTAKES[what]
  assert FILE.count(old) == 1, old
  line = FILE[: FILE.index(old)].count('\n') + 1
  with pytest.raises(BadSetting, match=sentence.replace('LINE', str(line))) as error:
    plan(tmp_path, FILE.replace(old, new), 10 + list(MISTAKES).index(what))
  assert str(error.value).endswith(('.', '?')) and '\n' not in str(error.value)
