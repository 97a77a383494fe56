"""How processes find each other, and what each is told where one is missing or was given another number."""

import socket
import threading
import time

import pytest
import yaml
from support.cli import ROOT, command
from support.gang import free_port

from ssl_bench import gang
from ssl_bench.gang.join import PORTS, Place, place
from ssl_bench.gang.roll_call import call_roll
from ssl_bench.settings.signature import BadSetting

SLURM = {
  'SLURM_JOB_ID': '4711',
  'SLURM_STEP_NODELIST': 'no-such-host[07,09-12],other',
  'SLURM_NTASKS': '6',
  'SLURM_PROCID': '3',
  'SLURM_LAUNCH_NODE_IPADDR': '10.0.0.7',
}


def test_a_place_is_what_its_settings_say():
  assert place(None, None, None, {}) is None
  assert place(None, None, None, {'JOB_COMPLETION_INDEX': '1', **SLURM}) is None  # nobody asked for several
  assert place('node1:6000', 2, 1, {}) == Place('node1', 6000, 2, 1)
  assert place('[fe80::1]:6000', 2, 0, {}).coordinator == '[fe80::1]:6000'
  assert place('mine-0.mine:6000', 4, None, {'JOB_COMPLETION_INDEX': '3'}) == Place('mine-0.mine', 6000, 4, 3)
  assert place('mine-0.mine:6000', 4, 0, {'JOB_COMPLETION_INDEX': '3'}).process == 0


def test_slurm_says_who_is_first_by_a_name_or_where_it_does_not_resolve_by_its_address():
  port = PORTS[4711 % len(PORTS)]
  assert place('slurm', None, None, SLURM) == Place('10.0.0.7', port, 6, 3)
  for nodes in ('localhost', 'localhost,other'):
    assert place('slurm', None, None, {**SLURM, 'SLURM_STEP_NODELIST': nodes}).host == 'localhost'


WRONG = {
  (None, 2, None): '--coordinator and --process must be given too',
  ('node1:6000', None, None): '--processes and --process must be given too',
  ('node1:6000', 2, 2): '--process is 0 to 1 where --processes is 2, not 2.',
  ('node1', 2, 1): "--coordinator is HOST:PORT, such as node1:6000, or slurm, not 'node1'.",
  ('node1:0', 2, 1): '--coordinator is HOST:PORT',
  ('node1:66000', 2, 1): '--coordinator is HOST:PORT',
  ('slurm', None, None): 'SLURM_JOB_ID is not set here',
}


@pytest.mark.parametrize('given', WRONG)
def test_what_is_missing_or_wrong_is_one_sentence(given):
  with pytest.raises(BadSetting) as error:
    place(*given, {})
  assert WRONG[given] in str(error.value)


def test_the_command_says_it_and_gives_up_in_time(tmp_path):
  words = ('train', 'digits/supervised', '--runs', tmp_path)
  assert 'must be given too' in command(*words, '--processes=2', code=2)
  port = free_port()
  gone = {'SSL_BENCH_COORDINATOR': f'127.0.0.1:{port}', 'SSL_BENCH_PROCESSES': '2', 'SSL_BENCH_PROCESS': '1'}
  started = time.monotonic()
  out = command(*words, '--join-seconds=1', code=2, **gone)
  assert f'Process 0 of this trial does not listen at 127.0.0.1:{port} (Connection refused)' in out
  assert 'Traceback' not in out and time.monotonic() - started < 60


def test_the_job_for_kubernetes_in_the_documentation_is_valid():
  validate = pytest.importorskip('kubernetes_validate', reason='pip install kubernetes-validate').validate
  text = (ROOT / 'docs/clusters.md').read_text(encoding='utf-8')
  _, _, rest = text.partition('```yaml title="gang.yaml"\n')
  service, job = yaml.safe_load_all(rest.partition('```')[0])
  for resource in (service, job):
    validate(resource, '1.33', strict=True)
  name, pod = job['metadata']['name'], job['spec']['template']['spec']
  assert service['spec']['selector'] == {'job-name': name} and pod['subdomain'] == service['metadata']['name']
  words = dict(zip(pod['containers'][0]['args'][::2], pod['containers'][0]['args'][1::2]))
  count = int(words['--processes'])
  assert count == job['spec']['completions'] == job['spec']['parallelism']
  here = place(words['--coordinator'], count, None, {'JOB_COMPLETION_INDEX': '1'})
  assert here == Place(f'{name}-0.{pod["subdomain"]}', 6000, 2, 1)


def roll_call(*processes, seconds=3.0):
  """What each process, given as (how many there are, its number), was told; empty for nothing wrong."""
  port, told = free_port(), {}

  def call(place):
    try:
      call_roll('127.0.0.1', port, *processes[place], seconds)
      told[place] = ''
    except BadSetting as error:
      told[place] = str(error)

  threads = [threading.Thread(target=call, args=(place,)) for place in range(len(processes))]
  started = time.monotonic()
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert time.monotonic() - started < 3 * seconds
  return [told[place] for place in range(len(processes))]


def test_all_who_are_asked_for_come_together():
  assert roll_call((3, 2), (3, 0), (3, 1)) == ['', '', '']


def test_all_are_told_who_is_missing():
  first, last = roll_call((3, 0), (3, 2))
  assert first == last and first.startswith('Process 1 of 3 did not come to port ')


def test_all_are_told_of_another_number_of_processes_and_of_one_number_given_twice():
  first, other = roll_call((2, 0), (3, 2))
  assert first == other == 'Process 0 was given --processes 2, and process 2 3; give all the same.'
  told = roll_call((4, 0), (4, 2), (4, 2))
  assert set(told) == {'Two processes were given --process 2; give each its own number.'}


def test_a_port_of_something_else_is_told_on_both_sides():
  with socket.create_server(('127.0.0.1', 0)) as server:
    port = server.getsockname()[1]

    def answer():
      while True:
        try:
          one, _ = server.accept()
        except OSError:
          return
        one.sendall(b'HTTP/1.1 400 Bad Request\r\n')
        one.close()

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(BadSetting, match=r'Nothing can listen at port \d+ here: Address already in use'):
      call_roll('127.0.0.1', port, 2, 0, 2.0)
    with pytest.raises(BadSetting, match='what listens there is no process of this trial'):
      call_roll('127.0.0.1', port, 2, 1, 2.0)
    server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_process_alone_is_asked_by_nobody():
  def refuse():
    raise BadSetting('no')

  assert gang.size() == 1 and gang.is_first() and gang.smallest(7) == 7
  assert gang.on_first(max, 1, 2) == gang.on_all(max, 1, 2) == 2
  gang.check_same('this', 'that')
  asked = lambda: True
  assert gang.agreed(asked) is asked and gang.Pace()(asked)
  with pytest.raises(BadSetting, match='no'), gang.all_or_none():
    gang.on_first(refuse)


@pytest.mark.parametrize('error', [BadSetting('no'), OSError(28, 'No space', '/x'), ValueError('a', 1)])
def test_an_error_is_the_same_after_it_was_sent(error):
  error.more = 3
  with pytest.raises(type(error)) as found:
    gang._read(gang._packed(error))
  assert str(found.value) == str(error) and found.value.more == 3
  assert getattr(found.value, 'errno', None) == getattr(error, 'errno', None)


def test_the_errors_of_a_training_are_the_same_after_they_were_sent():
  from ssl_bench.training.checkpoint import UnusableCheckpoint
  from ssl_bench.training.loop import Interrupted
  from ssl_bench.trial.claims import Superseded

  for error in (Interrupted(7), Superseded('abc'), UnusableCheckpoint('no')):
    with pytest.raises(type(error)) as found:
      gang._read(gang._packed(error))
    assert type(found.value) is type(error) and str(found.value) == str(error)
    assert vars(found.value) == vars(error)


def test_a_host_that_cannot_be_is_one_sentence():
  with pytest.raises(BadSetting, match=r"'node\.\.1' is no name of a host"):
    call_roll('node..1', free_port(), 2, 1, 5)


@pytest.mark.parametrize(
  'error',
  [
    OSError('no usable device'),
    FileNotFoundError(2, 'No such file', 'x'),
    BadSetting('so'),
    ValueError(1, 2),
  ],
)
def test_an_error_keeps_its_words_on_its_way(error):
  def fail():
    raise error

  with pytest.raises(type(error)) as found:
    gang._read(gang._attempt(fail))
  assert str(found.value) == str(error)
