"""A Hugging Face Hub on this machine, as far as the tests need one: real HTTP, contents in memory."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

USER = "tester"


class LoopbackHub:
    """Repositories by (type, name): every commit's files, the last one being `main`.

    Attributes:
        url: its address.
        lfs: whether safetensors are uploaded as large files, before the commit, as the real Hub wants it.
        requests: (method, path) of all that were answered.
        cut: None, or a text: requests with it in their path lose their connection in mid-answer.
        gone: None, or a text: the first download with it in its path ends half-way, and there is no Hub from then on.
    """

    def __init__(self):
        self.commits = {}  # (type, repo) -> {sha: {path: bytes}}, oldest first
        self.large = {}  # sha256 -> bytes
        self.variables = {}
        self.requests = []
        self.lfs = True
        self.cut = self.gone = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def files(self, repo, kind="model", revision="main"):
        """path -> bytes."""
        commits = self.commits[kind, repo]
        return commits[list(commits)[-1] if revision == "main" else revision]

    def commit(self, repo, files=None, delete=(), kind="model"):
        """Adds a commit and returns its sha."""
        commits = self.commits.setdefault((kind, repo), {})
        state = dict(commits[list(commits)[-1]]) if commits else {}
        state = {path: content for path, content in state.items() if path not in delete} | (files or {})
        sha = hashlib.sha1(repr((len(commits), sorted(state))).encode()).hexdigest()
        commits[sha] = state
        return sha


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, name, **headers):
        self.answer(404, {"error": name}, X_Error_Code=name, X_Error_Message=name, **headers)

    def handle_any(self):
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, path))
        if self.hub.cut and self.hub.cut in path:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            return
        if self.hub.gone == "":
            self.close_connection = True  # without a word
            return
        for pattern, method in self.ROUTES.items():
            if match := re.fullmatch(pattern, path):
                return method(self, body, *match.groups())
        self.refuse("EntryNotFound")

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def whoami(self, _):
        self.answer(200, {"type": "user", "name": USER, "orgs": []})

    def validate(self, _):
        self.answer(200, {"errors": [], "warnings": []})

    def create(self, body):
        wanted = json.loads(body)
        kind, repo = wanted.get("type", "model"), f"{wanted.get('organization') or USER}/{wanted['name']}"
        known = (kind, repo) in self.hub.commits
        if not known:
            self.hub.commit(repo, {".gitattributes": b"*.safetensors filter=lfs\n"}, kind=kind)
        prefix = "spaces/" if kind == "space" else ""
        self.answer(409 if known else 200, {"url": f"{self.hub.url}/{prefix}{repo}", "name": repo, "id": "1"})

    def variable(self, body, repo):
        wanted = json.loads(body)
        self.hub.variables[repo, wanted["key"]] = wanted["value"]
        self.answer(200, {})

    def info(self, _, kind, repo, revision="main"):
        if (sha := self.find(kind, repo, revision)) is None:
            return
        files = self.hub.files(repo, kind, sha)
        self.answer(200, {"id": repo, "sha": sha, "siblings": [{"rfilename": path} for path in sorted(files)]})

    def plain_info(self, body, kind, repo):
        self.info(body, kind, repo)

    def tree(self, _, kind, repo, revision):
        if (sha := self.find(kind, repo, revision)) is None:
            return
        entries = []
        for path, content in sorted(self.hub.files(repo, kind, sha).items()):
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"type": "file", "path": path, "size": len(content), "oid": blob}
            digest = hashlib.sha256(content).hexdigest()
            if digest in self.hub.large:
                entry |= {"oid": "0" * 40, "lfs": {"oid": digest, "size": len(content), "pointerSize": 134}}
            entries.append(entry)
        self.answer(200, entries)

    def preupload(self, body, kind, repo, _):
        def mode(path):
            return "lfs" if self.hub.lfs and path.endswith(".safetensors") else "regular"

        files = json.loads(body)["files"]
        self.answer(
            200, {"files": [{"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False} for f in files]}
        )

    def commit(self, body, kind, repo, _):
        new, gone = {}, []
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                new[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                new[value["path"]] = self.hub.large[value["oid"]]
            elif line["key"] == "deletedFile":
                gone.append(value["path"])
        sha = self.hub.commit(repo, new, gone, kind)
        url = f"{self.hub.url}/{repo}/commit/{sha}"
        self.answer(200, {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def batch(self, body, *_):
        def upload(thing):
            href = {"upload": {"href": f"{self.hub.url}/large/{thing['oid']}", "header": {}}}
            return {"oid": thing["oid"], "size": thing["size"], "actions": href}

        self.answer(200, {"transfer": "basic", "objects": [upload(thing) for thing in json.loads(body)["objects"]]})

    def store(self, body, digest):
        self.hub.large[digest] = body
        self.answer(200, {})

    def resolve(self, _, prefix, repo, revision, path):
        kind = {"datasets": "dataset", "spaces": "space"}.get(prefix, "model")
        if (sha := self.find(kind, repo, revision)) is None:
            return
        content = self.hub.files(repo, kind, sha).get(path)
        if content is None:
            return self.refuse("EntryNotFound", X_Repo_Commit=sha)
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": sha}
        if self.command == "GET" and self.hub.gone and self.hub.gone in path:
            self.hub.gone = ""
            self.close_connection = True
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            return
        self.answer(200, content, **headers)

    def find(self, kind, repo, revision):
        """The commit; None after the refusal was sent."""
        commits = self.hub.commits.get((kind, repo))
        if commits is None:
            return self.refuse("RepoNotFound")
        if revision != "main" and revision not in commits:
            return self.refuse("RevisionNotFound")
        return list(commits)[-1] if revision == "main" else revision

    ROUTES = {  # noqa: RUF012
        r"/api/whoami-v2": whoami,
        r"/api/validate-yaml": validate,
        r"/api/repos/create": create,
        r"/api/spaces/([^/]+/[^/]+)/variables": variable,
        r"/api/(model|dataset|space)s/([^/]+/[^/]+)": plain_info,
        r"/api/(model|dataset|space)s/([^/]+/[^/]+)/revision/(.+)": info,
        r"/api/(model|dataset|space)s/([^/]+/[^/]+)/tree/([^/]+)": tree,
        r"/api/(model|dataset|space)s/([^/]+/[^/]+)/preupload/(.+)": preupload,
        r"/api/(model|dataset|space)s/([^/]+/[^/]+)/commit/(.+)": commit,
        r"/(?:(?:datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch": batch,
        r"/large/(.+)": store,
        r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)": resolve,
    }
