"""The program that a job on Buildkite or CircleCI runs to request an identity token.

It understands the two commands that publishing tools run:

    buildkite-agent oidc request-token --audience AUDIENCE
    circleci run oidc get --claims JSON [--root-issuer]
"""

import argparse
import json
import os
import sys
from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

_TIMEOUT_SECONDS = 30.0


def main(arguments: list[str]) -> int:
    """Print an identity token, and return the exit status."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("command", nargs="+")
    parser.add_argument("--audience")
    parser.add_argument("--claims")
    parser.add_argument("--root-issuer", action="store_true")
    parsed = parser.parse_args(arguments)
    if parsed.command not in (["oidc", "request-token"], ["run", "oidc", "get"]):
        print(f"unknown command: {' '.join(parsed.command)}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        audience = parsed.audience or dict(json.loads(parsed.claims or "{}")).get("aud", "")
        print(_request_token(str(audience)))  # noqa: T201 (the output of the program)
    except (HTTPError, URLError, KeyError, TypeError, ValueError) as error:
        print(f"the identity token could not be requested: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _request_token(audience: str) -> str:
    url = f"{os.environ['CLOUDREPO_JOB_REQUEST_URL']}&audience={quote(audience, safe='')}"
    token = os.environ["CLOUDREPO_JOB_REQUEST_TOKEN"]
    request = Request(url, headers={"Authorization": f"bearer {token}"})  # noqa: S310 (ours)
    with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_SECONDS) as response:
        if response.status != HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        return str(json.load(response)["value"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
