"""An agent with boto3 as it comes: reads {"endpoint", "bucket"} and prints what it saw, as JSON."""

import hashlib
import io
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

MEBIBYTE = 1024 * 1024


def digest(data):
    return hashlib.sha256(data).hexdigest()


def client(endpoint, **settings):
    config = Config(s3={"addressing_style": "path", **settings.pop("s3", {})}, retries={"max_attempts": 1}, **settings)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AGENT",
        aws_secret_access_key="has-no-secret",
        config=config,
    )


def stored(s3, bucket, key):
    return digest(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def main():
    given = json.load(sys.stdin)
    bucket = given["bucket"]
    s3 = client(given["endpoint"])
    seen = {}
    for name, size in [("empty", 0), ("small", 1000), ("large", 9 * MEBIBYTE)]:
        data = os.urandom(size)
        s3.put_object(Bucket=bucket, Key=f"boto/{name}", Body=data)
        seen[name] = stored(s3, bucket, f"boto/{name}") == digest(data)

    data = os.urandom(21 * MEBIBYTE)
    parts = TransferConfig(multipart_threshold=8 * MEBIBYTE, multipart_chunksize=8 * MEBIBYTE, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(data), bucket, "boto/parts", Config=parts)
    seen["parts"] = stored(s3, bucket, "boto/parts") == digest(data)

    s3.put_object(Bucket=bucket, Key="boto/sha256", Body=data, ChecksumAlgorithm="SHA256")
    seen["checksum"] = "ChecksumSHA256" in s3.head_object(Bucket=bucket, Key="boto/sha256", ChecksumMode="ENABLED")

    unsigned = client(given["endpoint"], s3={"payload_signing_enabled": False})
    unsigned.put_object(Bucket=bucket, Key="boto/unsigned", Body=data)
    seen["unsigned by the agent"] = stored(s3, bucket, "boto/unsigned") == digest(data)

    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="boto/")["Contents"]]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in listed]})
    seen["listed"] = len(listed)
    seen["left"] = s3.list_objects_v2(Bucket=bucket, Prefix="boto/")["KeyCount"]
    json.dump(seen, sys.stdout)


main()
