"""The nets of a trial, and whether they can read its data: images, texts, captions."""

from collections.abc import Mapping
from typing import Any

from ssl_bench import nets
from ssl_bench.config import Config
from ssl_bench.contract import Method
from ssl_bench.data.arrays import Dataset
from ssl_bench.nets.core import Net
from ssl_bench.settings.signature import BadSetting

SAYS = {'image': 'images', 'tokens': 'tokens'}
FITS = {'image': 'convnet', 'tokens': 'sequence'}


def check(config: Config, dataset: Dataset) -> None:
  """Raises `BadSetting` where a net cannot read what the data are, or there are no captions to read."""
  if config.text_net and (dataset.captions is None or dataset.prompts is None):
    method = config.method['name']
    raise BadSetting(f'{method} reads captions, and {dataset.name} has none; use dataset=digits_captions.')
  needed = {'net': dataset.kind} | ({'text_net': 'tokens'} if config.text_net else {})
  for section, kind in needed.items():
    own = getattr(config, section)
    if (reads := make_net(own).kind) != kind:
      raise BadSetting(
        f'{section} {own["name"]} reads {SAYS[reads]}, and these are {SAYS[kind]}; use another, such as '
        f'{section}={FITS[kind]}.'
      )


def make_net(section: Mapping[str, Any]) -> Net:
  """The net of a section; raises `BadSetting` where its factory makes something else."""
  net = nets.get(section['name'])(**settings_in(section))
  if not isinstance(net, Net):
    raise BadSetting(
      f'The factory of net {section["name"]} must return a Net, not {_kind(net)}; '
      'wrap a Flax module by ssl_bench.nets.core.from_linen(module).'
    )
  return net


def as_method(made: Any, what: str) -> Method:
  """What the factory of a method or a combinator made; raises `BadSetting` for something else."""
  if not isinstance(made, Method):
    raise BadSetting(
      f'The factory of {what} must return a Method, not {_kind(made)}; '
      'end it by return ssl_bench.contract.Method(views, init, loss, …).'
    )
  return made


def _kind(thing: Any) -> str:
  return 'nothing' if thing is None else f'a value of type {type(thing).__name__}'


def settings_in(section: Mapping[str, Any]) -> dict[str, Any]:
  """The settings of a named section, lists as tuples."""
  return {k: tuple(v) if isinstance(v, list) else v for k, v in section.items() if k != 'name'}
