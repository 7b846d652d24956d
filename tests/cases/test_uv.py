"""Tests of uv, rewritten with the fixtures of pytest-cloudrepo."""

import pytest


def test_credentials_are_read_from_the_index_url(cloudrepo, cloudrepo_venv):
    """uv installs a package and its dependencies from an index that requires credentials.

    uv, crates/uv/tests/it/pip_install.rs, install_package_basic_auth_from_url
    """
    cloudrepo.publish_all(
        {"anyio": {"4.3.0": ["idna", "sniffio"]}, "idna": {"3.6": []}, "sniffio": {"1.3.1": []}}
    )
    uv = ("uv", "pip", "install", "--python", cloudrepo_venv.python)
    cloudrepo.run(*uv, "anyio", "--index-url", cloudrepo.index_url)
    cloudrepo_venv.run("-c", "import anyio, idna, sniffio")
    assert cloudrepo.username in {request.user for request in cloudrepo.requests}


def test_requirements_without_a_solution_are_an_error(cloudrepo, cloudrepo_venv):
    """uv reports that no version of `a` is compatible with the requirements for `b` and `c`.

    uv, crates/uv/tests/it/pip_install_scenarios.rs,
    dependency_excludes_range_of_compatible_versions
    """
    cloudrepo.publish_all(
        {
            "a": {f"{major}.0.0": [f"b=={major}.0.0"] for major in (1, 2, 3)},
            "b": {f"{major}.0.0": () for major in (1, 2, 3)},
            "c": {"1.0.0": ["a<2.0.0"], "2.0.0": ["a>=3.0.0"]},
        }
    )
    requirements = ("a", "b>=2.0.0,<3.0.0", "c")
    install = cloudrepo_venv.install(*requirements, index=cloudrepo, installer="uv", check=False)
    assert "No solution found when resolving dependencies" in install.stderr
    assert cloudrepo_venv.version("a") is None


@pytest.mark.parametrize("retries", [0, 1])
def test_a_server_error_is_reported_after_the_retries(cloudrepo, cloudrepo_venv, retries):
    """uv retries a request that fails with status 500, and then reports the status.

    uv, crates/uv/tests/it/network.rs, simple_http_500
    """
    uv = ("uv", "pip", "install", "--python", cloudrepo_venv.python, "tqdm")
    with cloudrepo.fault("status", status=500, reason="Internal Server Error") as fault:
        environ = cloudrepo.environ_for("uv", retries=retries)
        failed = cloudrepo.run(*uv, environ=environ, check=False)
    assert "500 Internal Server Error" in failed.stderr
    assert (fault.struck > 1) == (retries > 0)
