"""Semi-supervised and self-supervised learning under one protocol.

The public names are imported when they are first used, so that `import ssl_bench` costs nothing:

* a trial: `load_config`, `plan`, `train`, `evaluate`, `load_trained`;
* a loop of one's own: `Method`, `State`, `View`, `init_state`, `make_step`, `policy`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from ssl_bench.api import TrainedNetwork as TrainedNetwork
  from ssl_bench.api import evaluate as evaluate
  from ssl_bench.api import load_config as load_config
  from ssl_bench.api import load_trained as load_trained
  from ssl_bench.api import plan as plan
  from ssl_bench.api import policy as policy
  from ssl_bench.api import train as train
  from ssl_bench.contract import Aux as Aux
  from ssl_bench.contract import Method as Method
  from ssl_bench.contract import State as State
  from ssl_bench.contract import View as View
  from ssl_bench.contract import init_state as init_state
  from ssl_bench.contract import make_step as make_step
  from ssl_bench.settings.signature import BadSetting as BadSetting

__version__ = '0.1.0'

_PLACES = {
  'ssl_bench.api': ('TrainedNetwork', 'evaluate', 'load_config', 'load_trained', 'plan', 'policy', 'train'),
  'ssl_bench.contract': ('Aux', 'Method', 'State', 'View', 'init_state', 'make_step'),
  'ssl_bench.settings.signature': ('BadSetting',),
}
__all__ = sorted(name for names in _PLACES.values() for name in names)


def __getattr__(name: str) -> Any:
  for module, names in _PLACES.items():
    if name in names:
      return getattr(import_module(module), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
