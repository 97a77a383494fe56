"""The report of a trained trial: what is computed from its predictions, its data and its checkpoint."""

import base64
import io
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler
from support.cli import run, write_configs
from support.document import Page

from ssl_bench import api, cli, data
from ssl_bench.evaluation.judged import Judged
from ssl_bench.evaluation.predictions import keep
from ssl_bench.records import record
from ssl_bench.report import embedding
from ssl_bench.report.examples import confident_and_wrong, hardest_right
from ssl_bench.report.maps import neighborly, principal
from ssl_bench.report.page import page, report
from ssl_bench.report.trial import Trial


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The record of a trial in its run folder."""
  folder = tmp_path_factory.mktemp('trained')
  configs = write_configs(folder / 'configs')
  with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
    words = ['train', configs / 'fixmatch.yaml', '--runs', folder / 'runs', '--wandb', 'disabled']
    patch.setattr(sys, 'argv', ['ssl-bench', *map(str, words)])
    cli.main()
  assert not end.value.code
  (path,) = (folder / 'runs/train/records').glob('*.json')
  return path


@pytest.fixture(scope='module')
def html(trained):
  return report(trained)


@pytest.fixture(scope='module')
def arrays(trained):
  return dict(np.load(trained.with_suffix('.predictions.npz')))


def test_the_page_is_sound_and_the_same_twice(html, trained):
  Page(html)
  assert '://' not in html and report(trained) == html
  assert all('fill: currentColor' in one for one in re.findall(r'<text[^>]*style="([^"]*)"', html))


def test_the_confusion_matrix_is_that_of_the_predictions(html, arrays):
  labels, predicted = arrays['labels'], arrays['log_probabilities'].argmax(-1)
  classes = arrays['log_probabilities'].shape[1]
  expected = [[str(np.sum((labels == i) & (predicted == j))) for j in range(classes)] for i in range(classes)]
  page = Page(html)
  assert [row[1:] for row in page.tables['Confusion matrix'][1:]] == expected
  for k, row in enumerate(page.tables['Accuracy by class'][1:]):
    inside = labels == k
    assert row[1:3] == [str(inside.sum()), f'{100 * np.mean(predicted[inside] == k):.1f}']


def test_the_pictures_are_the_test_images_that_are_wrong_and_confident(html, arrays, trained):
  test = api.plan(api.validate(record.read(trained)['config'])).dataset
  shown = [np.array(Image.open(io.BytesIO(base64.b64decode(text)))) for text in
           re.findall(r'data:image/png;base64,([^"]+)', html)]  # fmt: skip
  top = arrays['log_probabilities'].max(-1).astype(float)
  right = arrays['log_probabilities'].argmax(-1) == arrays['labels']
  wrong = sorted(np.flatnonzero(~right), key=lambda i: (-top[i], i))[:12]
  hard = sorted(np.flatnonzero(right), key=lambda i: (top[i], i))[:12]
  assert len(wrong) == 12 and len(hard) > 3 and len(shown) == len(wrong) + len(hard)
  for picture, i in zip(shown, [*wrong, *hard]):
    assert np.array_equal(picture, test.test_images[i].squeeze()), i
    assert f'test position {arrays["positions"][i]}<' in html
  assert f'predicted {test.label_names[arrays["log_probabilities"][wrong[0]].argmax()]}' in html


def test_the_map_is_that_of_the_trained_network(html, trained, arrays):
  network = api.load_trained(trained)
  features = network.features(network.plan.dataset.test_images)
  peer = PCA(2, svd_solver='full').fit(features.astype(float))
  drawn = re.search(r'aria-label="[\d,]+ test examples by class.*?</svg>', html, re.DOTALL)[0]
  share = peer.explained_variance_ratio_
  wrong = (arrays['log_probabilities'].argmax(-1) != arrays['labels']).sum()
  assert f'hold {100 * share[0]:.1f} % and {100 * share[1]:.1f} % of the variance. {wrong:,} wrong' in drawn
  assert f'first, {100 * share[0]:.0f} % of variance' in drawn
  points = np.array(
    re.findall(r'<use href="[^"]*" x="([\d.]+)" y="([\d.]+)" style="[^"]*fill-opac', drawn), float
  )
  places = peer.transform(features.astype(float))
  order = np.argsort(arrays['labels'], kind='stable')  # as classes are drawn one after another
  for axis in range(2):
    assert abs(np.corrcoef(points[: len(order), axis], places[order, axis])[0, 1]) > 0.9999


def test_principal_components_are_scikit_learn_s_with_a_fixed_sign():
  rows = np.random.default_rng(0).normal(size=(40, 6)) @ np.diag([5, 3, 1, 1, 1, 1]) + 7
  found, peer = principal(rows), PCA(2, svd_solver='full').fit(rows)
  np.testing.assert_allclose(np.abs(found.places), np.abs(peer.transform(rows)), atol=1e-9)
  np.testing.assert_allclose(found.shares, peer.explained_variance_ratio_)
  np.testing.assert_allclose(principal(rows[::-1]).places[::-1], found.places, atol=1e-9)
  assert principal(rows[:, :1]).places[:, 1].tolist() == [0] * 40


def test_t_sne_keeps_neighbors_that_a_plane_of_principal_components_mixes():
  rng = np.random.default_rng(0)
  centers = 6 * np.eye(12)  # no plane shows twelve corners apart
  labels = np.arange(240) % 12
  rows = (centers[labels] + rng.normal(size=(240, 12))).astype(np.float32)
  found = neighborly(rows)
  assert found.shares is None and found.places.shape == (240, 2) and np.isfinite(found.places).all()
  assert np.array_equal(neighborly(rows).places, found.places)
  nearest = lambda places: np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(len(places))
  same = lambda places: np.mean(labels[nearest(places).argmin(1)] == labels)
  assert same(found.places) > 0.97 and same(principal(rows).places) < 0.8
  assert trustworthiness(rows, found.places) > trustworthiness(rows, principal(rows).places) + 0.1
  assert np.isfinite(neighborly(rows[:3]).places).all()


def test_a_map_by_t_sne_is_asked_for(trained, arrays, monkeypatch, capsys, tmp_path):
  monkeypatch.setattr(embedding, 'POINTS', 60)
  code, out, errors = run(
    monkeypatch, capsys, 'report', trained, '--map', 'tsne', '--out', tmp_path / 'x.html'
  )
  assert (code, errors) == (0, '')
  html = (tmp_path / 'x.html').read_text(encoding='utf-8')
  n = len(arrays['labels'])
  text = Page(html).text
  assert '(perplexity 19.7, seed 0)' in text and 'it does not show how far groups are from each other' in text
  assert f'60 of the {n:,} test examples are in it, evenly spaced.' in text
  drawn = np.round(np.linspace(0, n - 1, 60)).astype(int)
  wrong = (arrays['log_probabilities'].argmax(-1) != arrays['labels'])[drawn].sum()
  assert f'60 test examples by class, placed by t-SNE. {wrong} wrong predictions are ringed.' in html
  assert f'60 test examples by error, placed by t-SNE: {wrong} are wrong.' in html
  network = api.load_trained(trained)
  features = network.features(network.plan.dataset.test_images)[drawn]
  part = re.search(r'aria-label="60 test examples by class.*?</svg>', html, re.DOTALL)[0]
  points = re.findall(r'<use href="[^"]*" x="([\d.]+)" y="([\d.]+)" style="[^"]*fill-opac', part)
  order = np.argsort(arrays['labels'][drawn], kind='stable')
  places = np.array(points, float)[:60]
  assert trustworthiness(features[order], places) > 0.85
  code, out, errors = run(monkeypatch, capsys, 'report', trained, '--map', 'umap')
  assert code == 2 and not out and "'tsne'" in errors


def test_without_its_checkpoint_there_is_no_map_and_nothing_is_written(trained, tmp_path):
  for path in trained.parent.glob(f'{trained.stem}*'):
    (tmp_path / 'runs/records').mkdir(parents=True, exist_ok=True)
    shutil.copy(path, tmp_path / 'runs/records')
  text = Page(report(tmp_path / 'runs/records' / trained.name)).text
  assert 'There is no map. The folder of the record has no usable checkpoint of its last step.' in text
  assert 'Most confident wrong (12)' in text
  assert [path.name for path in (tmp_path / 'runs').iterdir()] == ['records']


def test_predictions_of_another_run_are_refused(trained, tmp_path, monkeypatch, capsys):
  for path in trained.parent.glob(f'{trained.stem}*'):
    shutil.copy(path, tmp_path)
  place = tmp_path / f'{trained.stem}.predictions.npz'
  arrays = dict(np.load(place))
  np.savez(place, **arrays | {'labels': arrays['labels'][::-1]})
  code, out, errors = run(monkeypatch, capsys, 'report', tmp_path / trained.name)
  assert code == 2 and not out and 'does not hold the predictions of' in errors and errors.count('\n') == 1


def test_a_run_folder_has_a_page_a_record_and_an_index(trained, monkeypatch, capsys, html):
  runs = trained.parents[1]
  code, out, errors = run(monkeypatch, capsys, 'report', runs)
  assert (code, errors) == (0, '') and 'Reports: 1' in out
  assert (runs / f'reports/{trained.stem}.html').read_text(encoding='utf-8') == html
  index = Page((runs / 'reports/index.html').read_text(encoding='utf-8'))
  links = [given['href'] for tag, given in index.tags if tag == 'a']
  assert links == [f'{trained.stem}.html']
  head, row = index.tables['Trials']
  told = dict(zip(head, row))
  assert told['method'] == 'fixmatch' and told['dataset'] == 'fake' and told['labels'] == '20'
  assert told['accuracy, %'] == f'{100 * record.read(trained)["metrics"]["accuracy"]:.2f}'
  (trained.parent / 'broken.json').write_text('{}')
  try:
    code, out, errors = run(monkeypatch, capsys, 'report', runs, '--map', 'none')
  finally:
    (trained.parent / 'broken.json').unlink()
  assert code == 1 and 'Reports: 1' in out and errors.startswith('Left out: ') and 'broken.json' in errors


def test_texts_are_shown_as_texts(trained):
  pytest.importorskip('django', reason='interface_texts is read from django (extra text)')
  texts = data.load('interface_texts')
  rng = np.random.default_rng(0)
  validation, test = (
    rng.normal(size=(len(labels), texts.classes)) for labels in (texts.validation_labels, texts.test_labels)
  )
  judged = Judged(keep(validation, test, texts), 20)
  tree = record.read_with_curves(trained)
  found = Page(page([Trial('', tree, judged, texts, 'None.')]))
  for i in (*confident_and_wrong(judged), *hardest_right(judged)):
    said = bytes(texts.test_images[i].ravel().tolist()).rstrip(b'\0').decode()
    assert ' '.join(said.split())[:20] in found.text
    assert f'class {texts.label_names[texts.test_labels[i]]}' in found.text


@pytest.fixture(scope='module')
def inverted(trained, tmp_path_factory):
  """The record of the same training, evaluated with an inversion, in a folder of its own."""
  runs = tmp_path_factory.mktemp('inverted') / 'runs'
  shutil.copytree(trained.parents[1], runs / 'train')
  with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
    config = trained.parents[3] / 'configs/fixmatch.yaml'
    words = ['evaluate', config, 'evaluate.privacy=[inversion]', '--runs', runs, '--wandb', 'disabled']
    patch.setattr(sys, 'argv', ['ssl-bench', *map(str, words)])
    cli.main()
  assert not end.value.code
  (path,) = {*(runs / 'train/records').glob('*.json')} - {runs / 'train/records' / trained.name}
  return path


def test_reconstructions_stand_below_their_training_images(inverted):
  html = report(inverted)
  Page(html)
  part = html[html.index('<h2 id="inversion">') :]
  part = part[: part.index('</section>')]
  shown = [
    np.array(Image.open(io.BytesIO(base64.b64decode(text)))) / 255
    for text in re.findall(r'data:image/png;base64,([^"]+)', part)
  ]
  places = [int(text) for text in re.findall(r'train position (\d+)<', part)]
  told = [float(text) for text in re.findall(r'<span>(-?[\d.]+) dB', part)]
  network = api.load_trained(inverted)
  data, see = network.plan.dataset, lambda images: network.features(images).astype(float)
  flat = lambda images: images.reshape(len(images), -1) / 255
  scaler = StandardScaler().fit(see(data.validation_images))
  draw = RidgeCV(alphas=[len(data.validation_images) * 10.0**e for e in range(-6, 2)])
  draw.fit(scaler.transform(see(data.validation_images)), flat(data.validation_images))
  assert len(places) == 12 == len(told) and len(shown) == 24
  for i, (where, error) in enumerate(zip(places, told)):
    image = data.train_images[where]
    np.testing.assert_array_equal(shown[2 * i], image.squeeze() / 255)
    made = np.clip(draw.predict(scaler.transform(see(image[None]))), 0, 1)[0]
    assert np.abs(shown[2 * i + 1].ravel() - made).max() < 1 / 255
    assert error == pytest.approx(-10 * np.log10(np.mean((made - flat(image[None])[0]) ** 2)), abs=0.06)
  numbers = record.read(inverted)['metrics']['attacks']['inversion']
  for who in ('members', 'untrained', 'others', 'mean'):
    assert f'{numbers[who]["psnr"]:.1f} dB, {numbers[who]["ssim"]:.2f}' in Page(html).text


def test_without_its_network_an_inversion_is_numbers(inverted):
  text = Page(report(inverted, map_by=None)).text
  assert 'No reconstructions are shown. The map was not asked for.' in text
  assert 'PSNR and SSIM: ' in text


def test_a_report_of_a_trial_without_an_inversion_has_no_section_of_it(html, trained, inverted):
  assert 'id="inversion"' not in html
  both = Page(report(trained, inverted)).text
  assert 'The trial asked for no inversion.' in both and 'Training images above their' in both
