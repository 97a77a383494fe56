"""As much of a W&B server as runs need, on loopback; it keeps what it is told."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
  """Keeps runs by id: those that were begun (buckets), files and the lines of streams."""

  def __init__(self):
    super().__init__(('127.0.0.1', 0), Handler)
    self.address = f'http://127.0.0.1:{self.server_port}'
    self.buckets, self.files, self.streams, self.artifacts = [], {}, [], {}
    self.lines: dict[str, list[dict]] = {}  # run -> its history
    self.done: dict[str, int] = {}  # run -> its exit code
    threading.Thread(target=self.serve_forever, daemon=True).start()

  def steps(self, run):
    """The steps of the rows that a run has, in the order in which they came."""
    return [line['_step'] for line in self.lines.get(run, [])]

  def stop(self):
    self.shutdown()
    self.server_close()


class Handler(BaseHTTPRequestHandler):
  server: Server

  def do_POST(self):
    body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
    if self.headers.get('Content-Encoding') == 'gzip':
      body = gzip.decompress(body)
    answer = {}
    if self.path == '/graphql':
      answer = {'data': self.query(**json.loads(body))}
    elif self.path.endswith('/file_stream'):
      self.stream(self.path.split('/')[-2], json.loads(body))
    else:
      self.server.files[self.path] = body
    text = json.dumps(answer).encode()
    self.send_response(200)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(text)))
    self.end_headers()
    self.wfile.write(text)

  do_GET = do_PUT = do_POST

  def stream(self, run, told):
    self.server.streams.append(told)
    found = told.get('files', {}).get('wandb-history.jsonl')
    if found:
      lines = self.server.lines.setdefault(run, [])
      del lines[found['offset'] :]
      lines += [json.loads(line) for line in found['content']]
    if told.get('complete'):
      self.server.done[run] = told['exitcode']

  def query(self, query, variables=None, **_):
    given, me = variables or {}, {'id': 'e', 'name': 'me'}
    if 'upsertBucket(' in query:
      name = given['name']
      known = name in [bucket['name'] for bucket in self.server.buckets]
      self.server.buckets.append(given)
      project = {'id': 'p', 'name': given['project'], 'entity': me}
      bucket = {'id': 'b', 'name': name, 'displayName': given['displayName'], 'project': project}
      rows = len(self.server.steps(name))
      bucket |= {'config': '{}', 'historyLineCount': rows}
      return {'upsertBucket': {'bucket': bucket, 'inserted': not known}}
    if 'RunResumeStatus' in query:
      return {
        'model': {'id': 'p', 'name': given['project'], 'entity': me, 'bucket': self.bucket(given['name'])}
      }
    if 'createRunFiles(' in query:
      files = [{'name': name, 'uploadUrl': f'{self.server.address}/up/{name}'} for name in given['files']]
      return {'createRunFiles': {'runID': 'b', 'uploadHeaders': [], 'files': files}}
    if 'createArtifact(' in query:
      return self.artifact(given['input'])
    if 'createArtifactFiles(' in query:
      nodes = [self.file(one['name']) for one in given['input']['artifactFiles']]
      return {'createArtifactFiles': {'files': {'edges': [{'node': node} for node in nodes]}}}
    if 'createArtifactManifest(' in query:
      url = f'{self.server.address}/manifest/{given["artifactID"]}'
      return {'createArtifactManifest': {'artifactManifest': {'id': 'm', 'file': {
        'id': 'f', 'uploadUrl': url, 'uploadHeaders': []}}}}  # fmt: skip
    if 'commitArtifact(' in query:
      self.server.artifacts[given['artifactID']]['committed'] = True
      return {'commitArtifact': {'artifact': {'id': given['artifactID'], 'digest': ''}}}
    viewer = {'id': 'v', 'entity': 'me', 'username': 'me', 'email': '', 'flags': '{}', 'teams': {'edges': []}}
    return {'viewer': viewer, 'serverInfo': {'features': []}, 'project': {'artifact': None}}

  def bucket(self, name):
    """What a run that goes on is told of itself; None for a run that there is not."""
    if name not in [bucket['name'] for bucket in self.server.buckets]:
      return None
    lines = self.server.lines.get(name, [])
    tail = json.dumps([json.dumps(line) for line in lines[-1:]])
    counts = {'logLineCount': 0, 'historyLineCount': len(lines), 'eventsLineCount': 0}
    texts = {'summaryMetrics': '{}', 'historyTail': tail, 'eventsTail': '[]', 'config': '{}'}
    return {'id': 'b', 'name': name, 'displayName': name, 'tags': [], 'notes': '', **counts, **texts,
            'wandbConfig': '{"t": 1}'}  # fmt: skip

  def artifact(self, told):
    """A table of a run counts as known already; other artifacts are uploaded."""
    name = told['artifactCollectionName']
    is_table = told['artifactTypeName'] == 'run_table'
    self.server.artifacts[name] = {
      'type': told['artifactTypeName'],
      'run': told['runName'],
      'committed': False,
    }
    state = 'COMMITTED' if is_table else 'PENDING'
    return {'createArtifact': {'artifact': {'id': name, 'state': state, 'artifactSequence': {}}}}

  def file(self, name):
    url = f'{self.server.address}/artifact/{name}'
    return {'storagePath': name, 'uploadUrl': url, 'uploadHeaders': [], 'uploadMultipartUrls': None,
            'artifact': {'id': 'a'}}  # fmt: skip

  def log_message(self, *_):
    pass
