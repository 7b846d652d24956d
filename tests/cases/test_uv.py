"""What uv's own tests ask of an index."""

import pytest


def test_the_login_is_taken_from_the_url(cloudrepo, cloudrepo_venv):
    """A package and what it depends on come from an index that wants a login.

    uv, crates/uv/tests/it/pip_install.rs, install_package_basic_auth_from_url
    """
    cloudrepo.publish_all(
        {"anyio": {"4.3.0": ["idna", "sniffio"]}, "idna": {"3.6": []}, "sniffio": {"1.3.1": []}}
    )
    uv = ("uv", "pip", "install", "--python", cloudrepo_venv.python)
    cloudrepo.run(*uv, "anyio", "--index-url", cloudrepo.index_url)
    cloudrepo_venv.run("-c", "import anyio, idna, sniffio")
    assert cloudrepo.username in {request.user for request in cloudrepo.requests}


def test_no_range_of_versions_fits(cloudrepo, cloudrepo_venv):
    """No version of `a` goes with both of what else is asked for; uv says that there is none.

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
    asked = ("a", "b>=2.0.0,<3.0.0", "c")
    install = cloudrepo_venv.install(*asked, index=cloudrepo, installer="uv", check=False)
    assert "No solution found when resolving dependencies" in install.stderr
    assert cloudrepo_venv.version("a") is None


@pytest.mark.parametrize("retries", [0, 1])
def test_an_error_of_the_server_is_told_after_the_retries(cloudrepo, cloudrepo_venv, retries):
    """An index that answers 500 is asked again, and then named together with its answer.

    uv, crates/uv/tests/it/network.rs, simple_http_500
    """
    uv = ("uv", "pip", "install", "--python", cloudrepo_venv.python, "tqdm")
    with cloudrepo.fault("status", status=500, reason="Internal Server Error") as fault:
        environ = cloudrepo.environ_for("uv", retries=retries)
        failed = cloudrepo.run(*uv, environ=environ, check=False)
    assert "500 Internal Server Error" in failed.stderr
    assert (fault.struck > 1) == (retries > 0)
