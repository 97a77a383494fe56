"""The contract of a method: the functions it is made of, the state they share, and the step around them."""

from ssl_bench.contract.average import moving_average, warm, with_ema, without_average
from ssl_bench.contract.believe import Belief, believe, use_all
from ssl_bench.contract.method import (
  Embed,
  Encode,
  Init,
  Loss,
  Method,
  Predict,
  ReconstructionError,
  Refresh,
  Sample,
  Teacher,
  Transduce,
  Update,
  stay,
)
from ssl_bench.contract.state import INIT, REFRESH, Aux, Log, PseudoLabels, State
from ssl_bench.contract.step import init_state, make_refresh, make_step
from ssl_bench.contract.views import (
  STREAMS,
  Batch,
  Policies,
  View,
  Views,
  hash_name,
  look,
  look_at_all,
)
from ssl_bench.kinds import APART, DENSE, scale
from ssl_bench.kinds.graph import Graph, Nodes, concatenate

__all__ = [
  'APART',
  'DENSE',
  'INIT',
  'REFRESH',
  'STREAMS',
  'Aux',
  'Batch',
  'Belief',
  'Embed',
  'Encode',
  'Graph',
  'Init',
  'Log',
  'Loss',
  'Method',
  'Nodes',
  'Policies',
  'Predict',
  'PseudoLabels',
  'ReconstructionError',
  'Refresh',
  'Sample',
  'State',
  'Teacher',
  'Transduce',
  'Update',
  'View',
  'Views',
  'believe',
  'concatenate',
  'hash_name',
  'init_state',
  'look',
  'look_at_all',
  'make_refresh',
  'make_step',
  'moving_average',
  'scale',
  'stay',
  'use_all',
  'warm',
  'with_ema',
  'without_average',
]
