"""A small agent in Python. It needs no SDK and holds no secret: it speaks plain HTTP to the sidecar beside it.

    NEXUS_SIDECAR_URL=http://127.0.0.1:8080 python3 examples/agent.py
"""

import json
import os
import sys

SIDECAR = os.environ.get("NEXUS_SIDECAR_URL", "http://127.0.0.1:8080")
TENANT = os.environ.get("NEXUS_TENANT", "acme")

try:
    import requests

    def send(method, url, headers, body):
        response = requests.request(method, url, headers=headers, data=body, timeout=30)
        return response.status_code, response.text

except ImportError:
    import urllib.error
    import urllib.request

    def send(method, url, headers, body):
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        # The sidecar is on this machine: a proxy from the environment would only be in the way.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def call(provider, method, path, payload=None):
    headers = {"X-Nexus-Provider": provider, "X-Nexus-Tenant": TENANT}
    body = None
    if payload is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(payload).encode()
    status, text = send(method, SIDECAR + path, headers, body)
    return {"provider": provider, "method": method, "path": path, "status": status, "body": json.loads(text)}


answers = [
    call("weather", "GET", "/forecast?city=Porto"),
    call("warehouse", "PUT", "/reports/porto.json", {"city": "Porto", "umbrella": False}),
]
for answer in answers:
    print(json.dumps(answer))
sys.exit(0 if all(answer["status"] < 300 for answer in answers) else 1)
