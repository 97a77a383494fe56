"""Cost of training and of predicting: times in the steady state, operations as lowered, sizes."""

from typing import Any

from ssl_bench.measures import Measure, part_of


def _of(key: str, title: str, **more: Any) -> Measure:
  more = {'name': key, 'range': (0, None), 'digits': 1, **more}
  return Measure(path=('cost', key), title=title, function=part_of('cost', key), **more)


def _timed(key: str, title: str, **more: Any) -> Measure:
  """What a clock or the machine wrote."""
  return _of(key, title, clock=True, **more)


MEASURES = (
  _timed(
    'seconds_per_epoch',
    's per epoch',
    hint='in the steady state',
    digits=2,
    table='cost',
    main=True,
    better='lower',
  ),
  _of(
    'gflops_per_epoch',
    'GFLOPs per epoch',
    hint='counted on the lowered step: the same on every device',
    table='cost',
    main=True,
    better='lower',
  ),
  _of(
    'parameters',
    'parameters',
    hint='read by a prediction: weights, or the images of a graph',
    digits=0,
    table='cost',
    main=True,
  ),
  _timed('images_per_second', 'images/s', hint='in training', digits=0, table='cost', better='higher'),
  _timed(
    'compile_seconds',
    'compile',
    unit='s',
    hint='to compile the training step, before the first step',
    table='cost',
    better='lower',
  ),
  _of(
    'gflops_per_image',
    'MFLOPs per image',
    hint='of a prediction, counted as lowered',
    digits=2,
    table='cost',
    better='lower',
    scale=1000,
  ),
  _timed(
    'inference_images_per_second',
    'images/s, prediction',
    hint='images per second that are predicted, in chunks of one size',
    digits=0,
    table='cost',
    better='higher',
  ),
  _timed(
    'peak_memory_bytes',
    'peak memory',
    unit='MiB',
    hint='of the compiled step: arguments, outputs and temporaries',
    digits=0,
    table='cost',
    better='lower',
    scale=2**-20,
  ),
  _timed(
    'peak_host_memory_bytes',
    'peak memory, host',
    unit='MiB',
    hint='most that the process held at once, resident, from the beginning of the trial to its evaluation',
    digits=0,
    table='cost',
    better='lower',
    scale=2**-20,
  ),
  _timed(
    'peak_device_memory_bytes',
    'peak memory, device',
    unit='MiB',
    hint='most that was in use at once of an accelerator, since the process began',
    digits=0,
    table='cost',
    better='lower',
    scale=2**-20,
  ),
  _timed(
    'device_utilization',
    'device busy',
    unit='%',
    hint='share of the time in which the devices were busy in training, with any work',
    digits=0,
    table='cost',
    range=(0, 1),
  ),
  _timed(
    'seconds_per_1000_views', 's per 1,000 views', hint='per 1,000 augmented images looked at', digits=3
  ),
  _timed('steps_per_second', 'steps per second', hint='in the steady state'),
  _timed('train_seconds', 'training time', unit='s', hint='of all steps; evaluation and saving left out'),
  _of('gflops_per_step', 'GFLOPs per step', hint='counted on the lowered step', digits=3),
  _of('gflops_per_1000_views', 'GFLOPs per 1,000 views', hint='per 1,000 augmented images looked at'),
  _of('teacher_gflops', "teachers' GFLOPs", hint="what training the trial's teachers took"),
  _of('steps_per_epoch', 'steps per epoch', hint='as many as one pass over the training part takes'),
  _of(
    'steps',
    'steps taken',
    hint="where they are not the config's",
    values='count',
    digits=0,
    name='steps_taken',
  ),
  _of(
    'together',
    'seeds in one program',
    hint='that were trained together, where there were several',
    values='count',
    digits=0,
  ),
  _timed('shared', 'shared', hint='whether other work ran on the machine while it was timed', values='flag'),
)
