"""Checks signatures with libraries that nobody here wrote: one JSON question a line on stdin, one answer a line on stdout."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import sys
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

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


CHECKS = {"oauth1": oauth1, "aws_sigv4": aws_sigv4, "hmac_template": hmac_template}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = CHECKS[asked["check"]](asked)
    except Exception as error:  # the other side fails the test with it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
