"""A small archive of DANDI's kind on loopback: it keeps what is uploaded, and can be made to fail."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-that-nobody-may-see"
DANDISET = "000123"
THEN = "2026-01-01T00:00:00Z"


class Archive:
    """What the archive holds, and what it was asked for."""

    def __init__(self, schema_version: str, part_size: int = 1 << 26, gui: str | None = "https://archive.example"):
        self.schema_version, self.part_size, self.gui = schema_version, part_size, gui
        self.blobs: dict[str, bytes] = {}  # by id
        self.etags: dict[str, str] = {}  # id of a blob by etag
        self.assets: dict[str, dict] = {}  # by id: path, blob, metadata
        self.uploads: dict[str, dict] = {}
        self.asked: list[str] = []
        self.faults: list[tuple[str, int | str]] = []  # (pattern of "METHOD /path", a status or "drop"), each once
        self.lock = threading.Lock()
        self.url = ""

    def paths(self) -> dict[str, bytes]:
        """What lies where."""
        return {asset["path"]: self.blobs[asset["blob"]] for asset in self.assets.values()}

    def metadata(self) -> dict[str, dict]:
        """What was said of each path."""
        return {asset["path"]: asset["metadata"] for asset in self.assets.values()}

    def count(self, pattern: str) -> int:
        """How many requests were like that."""
        return sum(re.search(pattern, line) is not None for line in self.asked)


@contextmanager
def serving(archive: Archive):
    """Run the archive until the block is left; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"archive": archive}))
    server.daemon_threads = True
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield archive.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    archive: Archive
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def _answer(self, method):
        archive, place = self.archive, urlsplit(self.path)
        line = f"{method} {place.path}"
        with archive.lock:
            archive.asked.append(line)
            fault = next((entry for entry in archive.faults if re.search(entry[0], line)), None)
            if fault is not None:
                archive.faults.remove(fault)
        size = int(self.headers.get("Content-Length") or 0)
        if fault is not None and fault[1] == "drop":
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(size)
        if fault is not None:
            self._send(fault[1], {"detail": f"made to fail, {self.headers.get('Authorization', '')}"})
            return
        for pattern, function in ROUTES:
            if match := re.fullmatch(pattern, line):
                public = "/storage/" in line or "/info/" in line or "server-info" in line
                if not public and self.headers.get("Authorization") != f"token {KEY}":
                    self._send(401, {"detail": "Invalid token."})
                    return
                with archive.lock:
                    answer = function(archive, body, parse_qs(place.query), *match.groups())
                self._send(*answer)
                return
        self._send(404, {"detail": "Not found."})

    def _send(self, status, content, headers=()):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def info(archive, body, query):
    services = {"api": {"url": f"{archive.url}/api"}, "webui": {"url": archive.gui} if archive.gui else None}
    versions = {"cli-minimal-version": "0.60.0", "cli-bad-versions": []}
    return 200, {"version": "1", "schema_version": archive.schema_version, "services": services} | versions


def token(archive, body, query):
    return 200, {"token": KEY}


def dandiset(archive, body, query):
    times = {"created": THEN, "modified": THEN}
    draft = {"version": "draft", "name": "A draft", "asset_count": 0, "size": 0, "status": "Pending"} | times
    return 200, {
        "identifier": DANDISET,
        "contact_person": "Doe, Jane",
        "embargo_status": "OPEN",
        "most_recent_published_version": None,
        "draft_version": draft,
    } | times


def described(archive, name):
    asset = archive.assets[name]
    size = len(archive.blobs[asset["blob"]])
    return {
        "asset_id": name,
        "blob": asset["blob"],
        "path": asset["path"],
        "size": size,
        "created": THEN,
        "modified": THEN,
    }


def listing(archive, body, query):
    prefix = query.get("path", [""])[0]
    results = [described(archive, name) for name, asset in archive.assets.items() if asset["path"].startswith(prefix)]
    return 200, {"count": len(results), "next": None, "previous": None, "results": results}


def metadata(archive, body, query, name):
    return 200, archive.assets[name]["metadata"]


def initialize(archive, body, query):
    asked = json.loads(body)
    etag = asked["digest"]["value"]
    assert asked["digest"]["algorithm"] == "dandi:dandi-etag"
    assert asked["dandiset"] == DANDISET
    if etag in archive.etags:
        return 409, {"detail": "Blob already exists."}, {"Location": archive.etags[etag]}
    name, size = str(uuid.uuid4()), asked["contentSize"]
    sizes = [min(archive.part_size, size - start) for start in range(0, size, archive.part_size)]
    archive.uploads[name] = {"etag": etag, "parts": {}, "sizes": sizes}
    parts = [
        {"part_number": number, "size": part, "upload_url": f"{archive.url}/storage/{name}/{number}"}
        for number, part in enumerate(sizes, 1)
    ]
    return 200, {"upload_id": name, "parts": parts}


def part(archive, body, query, name, number):
    assert len(body) == archive.uploads[name]["sizes"][int(number) - 1]
    archive.uploads[name]["parts"][int(number)] = body
    return 200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}


def complete(archive, body, query, name):
    told = json.loads(body)["parts"]
    held = archive.uploads[name]["parts"]
    assert {entry["part_number"]: entry["etag"] for entry in told} == {
        number: hashlib.md5(data).hexdigest() for number, data in held.items()
    }
    return 200, {"complete_url": f"{archive.url}/storage/{name}", "body": f"<Complete>{name}</Complete>"}


def assemble(archive, body, query, name):
    assert body == f"<Complete>{name}</Complete>".encode()
    parts = [data for _, data in sorted(archive.uploads[name]["parts"].items())]
    digest = hashlib.md5(b"".join(hashlib.md5(data).digest() for data in parts)).hexdigest()
    archive.uploads[name] |= {"whole": b"".join(parts), "found": f"{digest}-{len(parts)}"}
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    text = f'<CompleteMultipartUploadResult xmlns="{space}"><ETag>"{digest}-{len(parts)}"</ETag>'
    return 200, f"{text}</CompleteMultipartUploadResult>".encode()


def validate(archive, body, query, name):
    upload = archive.uploads.pop(name)
    assert upload["found"] == upload["etag"]
    blob = str(uuid.uuid4())
    archive.blobs[blob], archive.etags[upload["etag"]] = upload["whole"], blob
    return 200, {"blob_id": blob}


def keep(archive, body, query, name=None):
    """Make an asset, or replace one, which gets another id."""
    given = json.loads(body)
    if name is not None:
        del archive.assets[name]
    made = str(uuid.uuid4())
    asset = {"path": given["metadata"]["path"], "blob": given["blob_id"], "metadata": given["metadata"]}
    archive.assets[made] = asset
    return 200, described(archive, made)


DRAFT = f"/api/dandisets/{DANDISET}/versions/draft/assets/"
ROUTES = [
    ("GET /api/info/", info),
    ("GET /api/auth/token", token),
    (f"GET /api/dandisets/{DANDISET}/", dandiset),
    (f"GET {DRAFT}", listing),
    (f"GET {DRAFT}([0-9a-f-]+)/", metadata),
    ("POST /api/uploads/initialize/", initialize),
    ("PUT /storage/([0-9a-f-]+)/([0-9]+)", part),
    ("POST /api/uploads/([0-9a-f-]+)/complete/", complete),
    ("POST /storage/([0-9a-f-]+)", assemble),
    ("POST /api/uploads/([0-9a-f-]+)/validate/", validate),
    (f"POST {DRAFT}", keep),
    (f"PUT {DRAFT}([0-9a-f-]+)/", keep),
]
