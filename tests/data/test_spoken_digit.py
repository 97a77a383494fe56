"""Spoken digits: .wav files in a zip or a folder, parts, speakers; the stress that holds a speaker out."""

import io
import json
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from support.tiny_trial import make_config

from ssl_bench import data
from ssl_bench.data import spoken_digit
from ssl_bench.data.custom import fault, from_parts
from ssl_bench.data.fake import fake_by_name
from ssl_bench.data.stress import hold_out
from ssl_bench.kinds import audio, scale
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

SHARED = Path(__file__).parents[2].parent / 'shared/data/spoken_digit/free-spoken-digit-dataset.zip'
needs_digits = pytest.mark.skipif(not SHARED.is_file(), reason=f'{SHARED.name} is not on this machine')
SPEAKERS = ('ann', 'bob')


def clip(digit, speaker, take):
  """A clip that tells where it is from."""
  length = 300 + 40 * take + digit
  return np.arange(length).astype('int16') + np.int16(1000 * SPEAKERS.index(speaker) - 500)


def recordings():
  return {(d, s, t): clip(d, s, t) for d in range(10) for s in SPEAKERS for t in (0, 4, 5, 6, 49)}


def as_wav(samples, rate=8000):
  file = io.BytesIO()
  wavfile.write(file, rate, samples)
  return file.getvalue()


def zipped(path, clips):
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('free-spoken-digit-dataset-master/README.md', 'text')
    for (digit, speaker, take), samples in clips.items():
      archive.writestr(
        f'free-spoken-digit-dataset-master/recordings/{digit}_{speaker}_{take}.wav', as_wav(samples)
      )
  return path


def test_a_zip_a_folder_with_it_and_a_folder_of_files_are_read_alike(tmp_path):
  clips = recordings()
  path = zipped(tmp_path / 'digits.zip', clips)
  with zipfile.ZipFile(path) as archive:
    archive.extractall(tmp_path / 'unpacked')
  for source in (path, tmp_path, tmp_path / 'unpacked'):
    found = spoken_digit.read(source)
    assert found.keys() == clips.keys()
    for key, samples in clips.items():
      np.testing.assert_array_equal(found[key], samples)


def test_takes_0_to_4_are_the_test_part_and_validation_is_balanced():
  clips = recordings()
  arrays, speakers = spoken_digit.arrays_of(clips, 'salt', 20)
  assert speakers == SPEAKERS
  sizes = {part: len(arrays[f'{part}_labels']) for part in ('train', 'validation', 'test')}
  assert sizes == {'train': 40, 'validation': 20, 'test': 40}
  np.testing.assert_array_equal(np.bincount(arrays['validation_labels']), np.full(10, 2))
  order = sorted(clips)
  splits = {'test': [c for c in order if c[2] < 5], 'train': [c for c in order if c[2] >= 5]}
  for part in sizes:
    split = splits['test' if part == 'test' else 'train']
    for image, label, index, group in zip(
      *(arrays[f'{part}_{w}'] for w in ('images', 'labels', 'index', 'groups'))
    ):
      digit, speaker, take = split[index]
      assert (digit, speaker) == (label, SPEAKERS[group])
      samples = clip(digit, speaker, take)
      before = (8192 - len(samples)) // 2
      np.testing.assert_array_equal(image[before : before + len(samples)], samples)
      assert image.dtype == np.int16 and not image[:before].any() and not image[before + len(samples) :].any()


def test_of_a_long_clip_the_middle_stays():
  np.testing.assert_array_equal(spoken_digit.in_the_middle(np.arange(11), 4), [4, 5, 6, 7])
  np.testing.assert_array_equal(spoken_digit.in_the_middle(np.arange(1, 4), 6), [0, 1, 2, 3, 0, 0])
  np.testing.assert_array_equal(spoken_digit.in_the_middle(np.arange(4), 4), np.arange(4))


def stereo():
  file = io.BytesIO()
  with wave.open(file, 'wb') as out:
    out.setnchannels(2), out.setsampwidth(2), out.setframerate(8000)
    out.writeframes(bytes(400))
  return file.getvalue()


@pytest.mark.parametrize(
  ('content', 'sentence'),
  [
    (b'no sound', 'cannot be read as a .wav file'),
    (as_wav(np.zeros(100, 'int16'))[:30], 'cannot be read as a .wav file'),
    (as_wav(np.zeros(100, 'int16'), 16000), 'one channel and 8,000 Hz'),
    (as_wav(np.zeros(100, 'uint8')), 'a recording has 16 bits'),
    (as_wav(np.zeros(0, 'int16')), 'holds 0 samples'),
    (stereo(), '2 channels'),
  ],
)
def test_what_is_no_recording_is_one_sentence(tmp_path, content, sentence):
  (tmp_path / '1_ann_0.wav').write_bytes(content)
  with pytest.raises(BadSetting, match=sentence):
    spoken_digit.read(tmp_path)


def test_missing_and_other_recordings_are_one_sentence(tmp_path):
  prepare = lambda source: data.prepare('spoken_digit', source=source, data_dir=tmp_path / 'data')
  empty = tmp_path / 'empty'
  empty.mkdir()
  with pytest.raises(
    BadSetting, match=r'holds no recordings such as 7_jackson_32\.wav; give --from the file'
  ):
    prepare(empty)
  with pytest.raises(BadSetting, match=r'there is no folder .*; give --from a folder with free-spoken-digit'):
    prepare(tmp_path / 'nowhere')
  with pytest.raises(BadSetting, match='holds 100 recordings, and spoken_digit has 3,000'):
    prepare(zipped(tmp_path / 'few.zip', recordings()))
  (tmp_path / 'broken.zip').write_bytes(b'PK no zip')
  with pytest.raises(BadSetting, match='cannot be read as a zip file'):
    prepare(tmp_path / 'broken.zip')
  whole = {
    (d, f'speaker{"abcdef"[s]}', t): np.ones(9, 'int16')
    for d in range(10)
    for s in range(6)
    for t in range(50)
  }
  with pytest.raises(BadSetting, match='holds other recordings than spoken_digit: their fingerprint is'):
    prepare(zipped(tmp_path / 'others.zip', whole))
  with pytest.raises(
    BadSetting, match=r'spoken_digit is not in .*; get it with: ssl-bench data prepare spoken_digit'
  ):
    data.load('spoken_digit', data_dir=tmp_path / 'data')


@needs_digits
def test_the_real_set_is_prepared_read_and_checked(tmp_path):
  data.prepare('spoken_digit', source=SHARED, data_dir=tmp_path)
  found = data.load('spoken_digit', data_dir=tmp_path)
  assert (found.kind, found.shape, found.classes) == ('audio', (8192,), 10)
  assert found.group_names == ('george', 'jackson', 'lucas', 'nicolas', 'theo', 'yweweler')
  np.testing.assert_array_equal(np.bincount(found.test_groups * 10 + found.test_labels), np.full(60, 5))
  checked = data.check('spoken_digit', data_dir=tmp_path)
  assert not checked.wrong and 'the known one' in checked.verdict
  levels = np.concatenate([scale(found.train_images[i : i + 300], 'audio') for i in range(0, 2400, 300)])
  assert levels.shape == (2400, 64, 32, 1)
  assert levels.mean() == pytest.approx(0, abs=0.02) and levels.std() == pytest.approx(1, abs=0.02)
  theo = hold_out(found, 'theo')
  assert len(set(theo.test_index)) == len(theo.test_labels) == 500
  assert len(theo.train_labels) + len(theo.validation_labels) == 5 * 450
  folder = data.prepare('spoken_digit', data_dir=tmp_path)
  meta = json.loads((folder / 'meta.json').read_text())
  meta['groups'] = meta['groups'][:5]
  (folder / 'meta.json').write_text(json.dumps(meta))
  with pytest.raises(BadSetting, match=r'train_groups\.npy holds 5, which is not in 0 to 4'):
    data.load('spoken_digit', data_dir=tmp_path)


def test_a_speaker_that_is_held_out_is_the_test_part_and_in_no_other():
  whole = fake_by_name('fake_audio')
  found = hold_out(whole, 'bob')
  assert set(found.train_groups) == set(found.validation_groups) == {0} and set(found.test_groups) == {1}
  parts = ('train', 'validation', 'test')
  rows = lambda dataset, part: zip(*(getattr(dataset, f'{part}_{w}') for w in ('images', 'labels', 'groups')))
  everything = lambda dataset: {
    (x.tobytes(), int(y), int(g)) for part in parts for x, y, g in rows(dataset, part)
  }
  others_test = {(x.tobytes(), int(y), int(g)) for x, y, g in rows(whole, 'test') if g == 0}
  assert everything(found) == everything(whole) - others_test
  assert sum(len(getattr(found, f'{part}_labels')) for part in parts) == 240 + 40 + 40
  assert len(found.test_index) == len(found.test_labels) == 180
  again = hold_out(found, 'bob')
  np.testing.assert_array_equal(again.test_index, found.test_index)


def test_a_plan_under_that_stress_draws_its_labels_from_the_others_and_is_another_trial():
  config = lambda **more: make_config(
    {'name': 'supervised'}, dataset='fake_audio', net={'name': 'convnet', 'width': 2}, labels=20, **more
  )
  plan, usual = make_plan(config(stress={'held_out': 'ann'})), make_plan(config())
  assert set(plan.dataset.train_groups[plan.labeled]) == {1} and len(plan.labeled) == 20
  assert len(plan.dataset.train_labels) == plan.structure.data.unlabeled == 120
  assert len({plan.trial_id, usual.trial_id, make_plan(config(stress={'held_out': 'bob'})).trial_id}) == 3


@pytest.mark.parametrize(
  ('dataset', 'group', 'sentence'),
  [
    ('fake_audio', 'bop', "held_out: fake_audio has no group 'bop'; did you mean 'bob'"),
    ('fake_series', 'bob', 'fake_series does not say which group an example is from; leave it out'),
  ],
)
def test_a_group_that_there_is_not_is_one_sentence(dataset, group, sentence):
  with pytest.raises(BadSetting, match=sentence):
    hold_out(fake_by_name(dataset), group)


def test_silence_is_below_all_that_is_heard():
  whole = np.asarray(scale(fake_by_name('fake_audio').test_images, 'audio'))
  assert whole.min() >= audio.SILENCE - 1e-5 and whole.max() > 1


def test_sounds_of_ones_own_are_a_set():
  rng = np.random.default_rng(0)
  parts = [(rng.integers(-99, 99, (n, 1024)).astype('int16'), np.arange(n) % 2) for n in (8, 4, 4)]
  made = from_parts('mine', *parts, classes=2, kind='audio')
  assert fault(made, 'mine') is None
  floats = from_parts('mine', *[(x.astype('float32'), y) for x, y in parts], classes=2, kind='audio')
  assert 'train_images must be int16 [N, values]' in fault(floats, 'mine')
