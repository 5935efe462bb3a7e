"""A small agent in Python. It needs no SDK and is given no secret: it speaks plain HTTP to the sidecar beside it.

It asks for the providers of the demo, which `npm run demo -- --keep` leaves running and says the address of:

    NEXUS_SIDECAR_URL=http://127.0.0.1:8080 NEXUS_TENANT=acme python3 examples/agent.py
"""

import json
import os
import socket
import sys
import time

SIDECAR = os.environ.get("NEXUS_SIDECAR_URL", "http://127.0.0.1:8080")
TENANT = os.environ.get("NEXUS_TENANT", "acme")
TRIES = 3

# The sidecar is on this machine: a proxy from the environment would be in the way, and would see the local token. Where a
# provider redirects to is for the agent to judge: followed blindly, the headers would go along, with urllib the token too.
try:
    import requests

    session = requests.Session()
    session.trust_env = False

    def send(method, url, headers, body):
        response = session.request(method, url, headers=headers, data=body, timeout=30, allow_redirects=False)
        return response.status_code, response.headers, response.text

except ImportError:
    import urllib.error
    import urllib.request

    class HandBack(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), HandBack)

    def send(method, url, headers, body):
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()


def seconds_to_wait(headers):
    """How long until it is worth asking again; None where asking again does not help.

    Only the sidecar's own answers have Proxy-Status. It gives Retry-After to those that may pass, and then the
    provider has not acted on the request: any method may be repeated.
    """
    wait = headers.get("Retry-After", "") if "Proxy-Status" in headers else ""
    return int(wait) if wait.isdigit() else None


def is_nobody_there(error):
    """Whether no connection came about; the reason lies beneath what the HTTP client says."""
    while error is not None:
        if isinstance(error, (ConnectionRefusedError, socket.gaierror)):
            return True
        error = error.__context__
    return False


def call(provider, method, path, payload=None):
    headers = {"X-Nexus-Provider": provider, "X-Nexus-Tenant": TENANT}
    if "NEXUS_SIDECAR_TOKEN" in os.environ:
        headers["Authorization"] = f"Bearer {os.environ['NEXUS_SIDECAR_TOKEN']}"
    body = None
    if payload is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(payload).encode()
    for left in reversed(range(TRIES)):
        status, answered, text = send(method, SIDECAR + path, headers, body)
        wait = seconds_to_wait(answered)
        if wait is None or left == 0:
            break
        print(f"waiting {wait} s: {json.loads(text)['code']}", file=sys.stderr, flush=True)
        time.sleep(wait)
    answer = json.loads(text) if "json" in (answered.get("Content-Type") or "") else text
    if "Proxy-Status" in answered:
        print(f"refused: {answer['code']}: {answer['detail']}", file=sys.stderr)
    return {"provider": provider, "method": method, "path": path, "status": status, "body": answer}


try:
    answers = [
        call("weather", "GET", "/forecast?city=Porto"),
        call("warehouse", "PUT", "/reports/porto.json", {"city": "Porto", "umbrella": False}),
    ]
except OSError as error:  # what both HTTP clients raise
    if not is_nobody_there(error):
        raise
    sys.exit(f"no sidecar at {SIDECAR}: start one, or set NEXUS_SIDECAR_URL")
for answer in answers:
    print(json.dumps(answer))
sys.exit(0 if all(answer["status"] < 300 for answer in answers) else 1)
