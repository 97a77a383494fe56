"""As much of a Kubernetes API server as `kubectl get job` asks: one Job, whose conditions change."""

import json
import os
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GROUP = {'groupVersion': 'batch/v1', 'version': 'v1'}
DISCOVERY = {
  '/api': {'kind': 'APIVersions', 'versions': ['v1']},
  '/api/v1': {'kind': 'APIResourceList', 'groupVersion': 'v1', 'resources': []},
  '/apis': {
    'kind': 'APIGroupList',
    'groups': [{'name': 'batch', 'versions': [GROUP], 'preferredVersion': GROUP}],
  },
  '/apis/batch/v1': {
    'kind': 'APIResourceList',
    'groupVersion': 'batch/v1',
    'resources': [
      {'name': 'jobs', 'singularName': 'job', 'namespaced': True, 'kind': 'Job', 'verbs': ['get']}
    ],
  },
}


class OneJob:
  """As a context: a server of one Job in a namespace; `environment` is what `kubectl` needs.

  Each time that the Job is read it has the next of some sets of conditions, {type: status}.  `read` says how
  often it was.
  """

  def __init__(self, folder: Path, namespace: str, name: str, conditions: Sequence[dict[str, str]]):
    self.path = f'/apis/batch/v1/namespaces/{namespace}/jobs/{name}'
    self.conditions, self.read = conditions, 0
    self.environment = {**os.environ, 'HOME': str(folder), 'KUBECONFIG': str(folder / 'kubeconfig')}
    job = self

    class Answer(BaseHTTPRequestHandler):
      def do_GET(self) -> None:
        tree = job.answer(self.path.partition('?')[0])
        body = json.dumps(tree or {'kind': 'Status', 'status': 'Failure', 'code': 404}).encode()
        self.send_response(200 if tree else 404)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

      def log_message(self, *words: object) -> None:
        pass

    self.server = ThreadingHTTPServer(('127.0.0.1', 0), Answer)
    there = {'name': 'here', 'cluster': {'server': f'http://127.0.0.1:{self.server.server_address[1]}'}}
    context = {'name': 'here', 'context': {'cluster': 'here'}}
    tree = {'kind': 'Config', 'clusters': [there], 'contexts': [context], 'current-context': 'here'}
    (folder / 'kubeconfig').write_text(json.dumps({'apiVersion': 'v1', **tree}))

  def __enter__(self) -> 'OneJob':
    threading.Thread(target=self.server.serve_forever, daemon=True).start()
    return self

  def __exit__(self, *error: object) -> None:
    self.server.shutdown()
    self.server.server_close()

  def answer(self, path: str) -> dict | None:
    if path != self.path:
      return DISCOVERY.get(path)
    now = self.conditions[min(self.read, len(self.conditions) - 1)]
    self.read += 1
    told = [{'type': name, 'status': status} for name, status in now.items()]
    return {'kind': 'Job', 'apiVersion': 'batch/v1', 'metadata': {}, 'status': {'conditions': told}}
