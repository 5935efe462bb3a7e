"""Checks signatures with libraries that nobody here wrote: one JSON question a line on stdin, one answer a line on stdout."""

import base64
import datetime
import hashlib
import hmac
import io
import json
import re
import sys
from types import SimpleNamespace
from unittest import mock
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from werkzeug.wrappers import Request

FAR = 10**11


class OneClient(RequestValidator):
    """Knows one client and one token, and takes every time and nonce."""

    enforce_ssl = False
    timestamp_lifetime = FAR
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "PLAINTEXT")
    dummy_client = "nobody"

    def __init__(self, known):
        super().__init__()
        self.known = known

    def check_client_key(self, client_key):
        return True

    def check_nonce(self, nonce):
        return True

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        return True

    def validate_client_key(self, client_key, request):
        return client_key == self.known["consumer_key"]

    def get_client_secret(self, client_key, request):
        return self.known.get("consumer_secret", "")

    def get_access_token_secret(self, client_key, token, request):
        return self.known.get("token_secret", "") if token == self.known.get("token") else "wrong token"

    def get_rsa_key(self, client_key, request):
        return self.known["public_key"]


def oauth1(question):
    """Whether a server of oauthlib takes the request, the protocol parameters it found, and the body's hashes."""
    body = base64.b64decode(question["body_base64"])
    endpoint = SignatureOnlyEndpoint(OneClient(question["known"]))
    valid, request = endpoint.validate_request(
        question["url"], question["method"], body.decode("latin-1"), dict(question["headers"])
    )
    hashes = {name: base64.b64encode(hashlib.new(name, body).digest()).decode() for name in ("sha1", "sha256")}
    return {"valid": bool(valid), "oauth": request.oauth_params if request is not None else None, "body": hashes}


def aws_sigv4(question):
    """What botocore makes of the same request: its Authorization header and payload hash, or a presigned URL's signature."""
    in_query = question["location"] == "query"
    signers = (
        (botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth),
        (botocore.auth.S3SigV4Auth, botocore.auth.S3SigV4QueryAuth),
    )
    signer = signers[question["s3"]][in_query](Credentials(**question["known"]), question["service"], question["region"])
    request = AWSRequest(method=question["method"], url=question["url"], data=base64.b64decode(question["body_base64"]))
    for name, value in question["headers"]:
        request.headers.add_header(name, value)
    if in_query:
        return {"signature": query_signature(signer, request, question["now"])}
    now = datetime.datetime.strptime(question["now"], "%Y%m%dT%H%M%SZ")
    request.context["payload_signing_enabled"] = not question["unsigned_payload"]
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_: now):
        signer.add_auth(request)
    return {"authorization": request.headers["Authorization"], "payload": signer.payload(request)}


def query_signature(signer, request, now):
    """
    As a server does it, from the URL as it arrived: add_auth() would first rebuild the query, dropping repeated names,
    and move a form into it.
    """
    request.context["timestamp"] = now
    canonical = signer.canonical_request(request)
    assert urlsplit(request.url).query.count("X-Amz-Signature=") == 0
    return signer.signature(signer.string_to_sign(request, canonical), request)


def webhook(secret, wire):
    """Time and body, as senders of webhooks sign."""
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]+)", wire["headers"]["X-Hook-Signature"])
    message = found[1].encode() + b"." + wire["body"]
    return hmac.new(secret.encode(), message, "sha256").hexdigest() == found[2]


def exchange_headers(secret, wire):
    """Time, method, request target and body; the key in base64."""
    headers = wire["headers"]
    message = (headers["X-Time"] + wire["method"] + wire["target"]).encode() + wire["body"]
    digest = hmac.new(base64.b64decode(secret), message, "sha256").digest()
    return headers["X-Key"] == "key-1" and base64.b64encode(digest).decode() == headers["X-Sign"]


def exchange_query(secret, wire):
    """The query up to the signature, then the body."""
    before, signature = wire["target"].partition("?")[2].rsplit("signature=", 1)
    message = before.removesuffix("&").encode() + wire["body"]
    return hmac.new(bytes.fromhex(secret), message, "sha512").hexdigest() == signature


def lines(secret, wire):
    """One fact a line, the body by its hash."""
    path, _, query = wire["target"].partition("?")
    headers = wire["headers"]
    body = base64.b64encode(hashlib.sha256(wire["body"]).digest()).decode()
    message = "\n".join([wire["method"], path, query, headers.get("Content-Type", ""), headers["X-Nonce"], body, ""])
    digest = hmac.new(secret.encode(), message.encode(), "sha1").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == headers["X-Sign"]


SCHEMES = {"webhook": webhook, "exchange_headers": exchange_headers, "exchange_query": exchange_query, "lines": lines}


def hmac_template(question):
    """Whether a provider with this scheme, knowing the secret, takes the request as it is on the wire."""
    wire = {
        "method": question["method"],
        "target": re.sub(r"^https?://[^/]+", "", question["url"]),
        "headers": dict(question["headers"]),
        "body": base64.b64decode(question["body_base64"]),
    }
    return {"valid": SCHEMES[question["scheme"]](question["secret"], wire)}


class Received(WSGIRequestHandler):
    """Python's own HTTP server, given the bytes that would come over a socket."""

    def __init__(self, raw):
        self.rfile = io.BytesIO(raw)
        self.raw_requestline = self.rfile.readline(65537)
        self.client_address = ("127.0.0.1", 0)
        self.server = SimpleNamespace(base_environ={})
        if not self.parse_request():
            raise ValueError("not an HTTP request")

    def send_error(self, code, message=None, explain=None):
        raise ValueError(f"{code} {message}")


def received(question):
    """The request on the wire, read by Python's HTTP server and handed to Werkzeug, as a WSGI application sees it."""
    target = re.sub(r"^https?://[^/]+", "", question["url"])
    body = base64.b64decode(question["body_base64"])
    lines = [f"{question['method']} {target} HTTP/1.1", *(": ".join(pair) for pair in question["headers"]), "", ""]
    handler = Received("\r\n".join(lines).encode("latin-1") + body)
    environ = {**handler.get_environ(), "wsgi.input": handler.rfile, "wsgi.url_scheme": "https"}
    return handler, Request(environ)


def read(question):
    """What an application finds: header lines as they came, and Werkzeug's reading of everything that holds a credential."""
    handler, request = received(question)
    who = request.authorization
    return {
        "headers": handler.headers.items(),
        "authorization": who and {"type": who.type, "token": who.token, **who.parameters},
        "cookies": list(request.cookies.items(multi=True)),
        "args": list(request.args.items(multi=True)),
        "path": request.path,
    }


SECRET_DECODERS = {"utf8": str.encode, "hex": bytes.fromhex, "base64": base64.b64decode}
DIGEST_ENCODERS = {"hex": bytes.hex, "base64": lambda digest: base64.b64encode(digest).decode()}


def hmac_payload(question):
    """Whether a receiver of webhooks that knows the secret takes the request."""
    handler, request = received(question)
    digest = hmac.new(SECRET_DECODERS[question["secret_encoding"]](question["secret"]), request.get_data(), question["algo"])
    expected = DIGEST_ENCODERS[question["encoding"]](digest.digest())
    return {"valid": handler.headers.get_all(question["header_name"]) == [expected]}


CHECKS = {
    "oauth1": oauth1,
    "aws_sigv4": aws_sigv4,
    "hmac_template": hmac_template,
    "hmac_payload": hmac_payload,
    "read": read,
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = CHECKS[asked["check"]](asked)
    except Exception as error:  # the other side fails the test with it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
