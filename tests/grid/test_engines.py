"""Engines: the one that is asked for, what a cluster file says to it, and which GPUs each worker sees."""

import math
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from ssl_bench.grid.engines import accelerators, cluster, local, slurm
from ssl_bench.grid.engines.choose import choose
from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.engines.engine import FALSE_STARTS
from ssl_bench.grid.engines.ray import connected
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder

WRONG = {
  'workers: 0': 'workers must be greater than or equal to 1, not 0.',
  'wokers: 2': "There is no setting 'wokers'; did you mean 'workers'?",
  'gpus: many': "gpus must be a whole number, not 'many'.",
  'partition: a b': 'partition must be one word',
  'memory: 16GB': 'memory must be a number with K, M, G or T, such as 16G',
  'lines: ["--constraint=a\\nrm"]': 'lines.0 must be one line',
  'queue: mine': 'queue is for kubernetes; --engine slurm knows workers, cpus, gpus, memory, notice',
  '- 1': 'should hold settings of the form name: value.',
}


@pytest.mark.parametrize('text', WRONG)
def test_what_is_wrong_in_a_cluster_file_is_one_sentence(tmp_path, text):
  path = tmp_path / 'cluster.yaml'
  path.write_text(text)
  with pytest.raises(BadSetting) as error:
    cluster.read(path, 'slurm')
  assert WRONG[text] in str(error.value) and 'cluster.yaml' in str(error.value)


def test_times_are_read_as_sbatch_does():
  minutes = {'30': 30, '30:30': 30.5, '01:00:00': 60, '1-0': 1440, '1-2:30': 1590, '2-00:00:30': 2880.5}
  assert {time: Cluster(time=time).seconds / 60 for time in minutes} == minutes
  assert Cluster().seconds == Cluster(time='UNLIMITED').seconds == math.inf


def test_a_cluster_has_defaults(tmp_path):
  assert cluster.read(None, 'ray') == Cluster()
  with pytest.raises(BadSetting, match='no-such'):
    cluster.read(tmp_path / 'no-such.yaml', 'ray')


def test_every_setting_of_a_cluster_is_known_to_an_engine():
  known = {name for names in cluster.KNOWN.values() for name in names}
  assert known == set(Cluster.model_fields)


def test_memory_has_a_unit_of_1024_and_counts_megabytes_without():
  sizes = {'16G': 16 * 2**30, '512': 512 * 2**20, '3K': 3072, '2T': 2**41}
  assert {size: Cluster(memory=size).bytes for size in sizes} == sizes and Cluster().bytes is None


def test_an_engine_is_chosen_with_what_it_knows(tmp_path):
  path = tmp_path / 'cluster.yaml'
  path.write_text('workers: 3')
  assert choose('local', workers=2, seconds=5.0) == local.Local(2, 5.0)
  assert choose('slurm', path, wait=True) == (Cluster(workers=3), True)
  assert choose('ray', path, workers=7, seconds=9.0, wait=True) == (Cluster(workers=7), 9.0)
  assert choose('kubernetes', path) == (Cluster(workers=3),)


@pytest.mark.parametrize('name', cluster.KNOWN)
def test_a_worker_with_several_gpus_is_told_of_on_every_engine(tmp_path, capsys, name):
  path = tmp_path / 'cluster.yaml'
  path.write_text('gpus: 4\nworkers: 2')
  choose(name, path)
  assert capsys.readouterr().out == (
    'Each worker gets 4 GPUs and trains one trial on all of them. For one trial on each GPU, set gpus: 1 and '
    '4 times the workers.\n'
  )
  path.write_text('gpus: 1')
  choose(name, path)
  if name == 'slurm':
    path.write_text('gpus: 4\nnodes: 2')  # several are what is asked for
    choose(name, path)
  assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
  'name, how, why',
  [
    ('local', {'wait': True}, '--cluster and --wait are for other machines; name their --engine with them.'),
    ('slurm', {'seconds': 9.0}, 'of a job of Slurm, the cluster file says time.'),
    ('kubernetes', {'seconds': 9.0}, '--time-limit is for --engine local and ray; leave it out.'),
    ('kubernetes', {'wait': True}, 'there is nothing to --wait for; leave it out.'),
  ],
)
def test_what_an_engine_does_not_know_is_refused(name, how, why):
  with pytest.raises(BadSetting) as error:
    choose(name, **how)
  assert why in str(error.value)


@pytest.fixture
def no_gpus(monkeypatch):
  for name in ('CUDA_VISIBLE_DEVICES', 'JAX_PLATFORMS', *accelerators.FRACTIONS):
    monkeypatch.delenv(name, raising=False)
  return monkeypatch


def nvidia(folder, monkeypatch, script: str) -> None:
  """Puts a program `nvidia-smi` first on the path."""
  path = folder / 'nvidia-smi'
  path.write_text(f'#!/bin/sh\n{script}\n')
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')


def test_visible_gpus_are_those_of_the_environment_else_of_the_driver(tmp_path, no_gpus):
  nvidia(tmp_path, no_gpus, 'printf "0\\n1\\n2\\n"')
  assert accelerators.visible() == ('0', '1', '2')
  for given, found in {
    '2,5': ('2', '5'),
    ' GPU-8f, MIG-1c': ('GPU-8f', 'MIG-1c'),
    '1,-1,2': ('1',),
    '': (),
    '-1': (),
  }.items():
    no_gpus.setenv('CUDA_VISIBLE_DEVICES', given)
    assert accelerators.visible() == found
  no_gpus.delenv('CUDA_VISIBLE_DEVICES')
  nvidia(tmp_path, no_gpus, 'echo "no driver"; exit 9')
  assert accelerators.visible() == ()
  no_gpus.setenv('PATH', '/nowhere')
  assert accelerators.visible() == ()


def test_each_worker_sees_gpus_of_its_own(no_gpus):
  seen = lambda workers, devices: [
    one['CUDA_VISIBLE_DEVICES'] for one in accelerators.environments(workers, devices)
  ]
  assert seen(3, ('0', '1', '2')) == ['0', '1', '2']
  assert seen(2, ('4', '5', '6', '7')) == ['4,5', '6,7'] and seen(1, ('0', '1')) == ['0,1']
  assert accelerators.environments(2, ()) == [{}, {}]
  assert not any('FRACTION' in name for one in accelerators.environments(2, ('0', '1')) for name in one)


def test_workers_that_share_a_gpu_share_its_memory(no_gpus):
  found = accelerators.environments(5, ('0', '1'))
  assert [one['CUDA_VISIBLE_DEVICES'] for one in found] == ['0', '1', '0', '1', '0']
  shares = {'0': '0.300', '1': '0.450'}
  assert all(one['XLA_CLIENT_MEM_FRACTION'] == shares[one['CUDA_VISIBLE_DEVICES']] for one in found)
  no_gpus.setenv('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  assert all(len(one) == 1 for one in accelerators.environments(5, ('0', '1')))


def test_an_accelerator_gets_one_worker_and_a_processor_one_a_core(no_gpus):
  no_gpus.setattr(local, 'find_spec', lambda name: name == 'jax_cuda13_plugin')
  no_gpus.setenv('CUDA_VISIBLE_DEVICES', '3,1,2')
  assert local.default_workers() == 3 and local.gpus() == ('3', '1', '2')
  no_gpus.setattr(local, 'find_spec', lambda name: name == 'libtpu')
  assert local.default_workers() == 1 and local.gpus() == ()
  no_gpus.setenv('JAX_PLATFORMS', 'cpu')
  assert local.default_workers() == len(os.sched_getaffinity(0)) and local.gpus() == ()


class Nobody:
  """A display that shows nothing."""

  def lose(self, *told: object) -> None:
    pass

  def tell_overhead(self, *told: object) -> None:
    pass


def tell_and_die(*given: object) -> None:
  """What a process does in place of a worker: it writes what it sees, and is killed."""
  path = Path(os.environ['SEEN']) / str(os.getpid())
  path.write_text(f'{os.environ["CUDA_VISIBLE_DEVICES"]}')
  os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_takes_the_place_of_another_sees_the_same_gpus(tmp_path, no_gpus):
  no_gpus.setattr(local, 'serve', tell_and_die)
  no_gpus.setenv('SEEN', str(tmp_path))
  environments = accelerators.environments(2, ('6', '7'))
  local.Pool(RunFolder(tmp_path / 'runs'), tmp_path, 2, Nobody(), environments).run()
  seen = [path.read_text() for path in tmp_path.glob('[0-9]*')]
  # The last two have none in their place, since so many died in a row before they began.
  assert set(seen) == {'6', '7'} and len(seen) == FALSE_STARTS + 1
  assert 'CUDA_VISIBLE_DEVICES' not in os.environ


def test_without_slurm_or_ray_it_says_what_to_do(monkeypatch):
  monkeypatch.setenv('PATH', '/nowhere')
  with pytest.raises(BadSetting, match='There is no sbatch on this machine; submit from a login node'):
    slurm._sbatch(['one.sh'])
  monkeypatch.setitem(sys.modules, 'ray', None)
  with (
    pytest.raises(BadSetting, match=r"--engine ray needs Ray: pip install 'ssl_bench\[ray\]'"),
    connected(Cluster()),
  ):
    pass


@pytest.mark.parametrize(
  'title, engine', [('cluster', 'slurm'), ('ray', 'ray'), ('kubernetes', 'kubernetes')]
)
def test_the_cluster_files_of_the_page_are_read(tmp_path, title, engine):
  page = (Path(__file__).parents[2] / 'docs/clusters.md').read_text(encoding='utf-8')
  path = tmp_path / f'{title}.yaml'
  path.write_text(page.partition(f'```yaml title="{title}.yaml"\n')[2].partition('```')[0])
  found = cluster.read(path, engine)
  assert found.workers > 1 and found.gpus == 1 and found.bytes == 16 * 2**30
  for other in cluster.KNOWN.keys() - {engine}:
    with pytest.raises(BadSetting, match=f'--engine {other} knows'):
      cluster.read(path, other)
