"""Create a bucket in the S3 store of the variables `AWS_*`, once it is up: `bucket.py NAME`."""

import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta

import obstore
from obstore.store import S3Store

SECONDS = 60.0
EXISTS = 409


def main(name: str) -> None:
    """Create the bucket, unless it already exists."""
    # A presigned PUT request for the empty path creates the bucket.
    url = obstore.sign(S3Store(name), "PUT", "", timedelta(seconds=2 * SECONDS))
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            # obstore made the URL, so its scheme is http or https.
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT")):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            with error:
                if error.code == EXISTS:
                    return
                sys.exit(f"cannot create the bucket {name}: {error.code} {error.reason}")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the store did not respond within {SECONDS:g} s: {error}")
            time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1])
