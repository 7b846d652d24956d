"""Tests of pip, rewritten with the fixtures of pytest-cloudrepo."""


def test_a_yanked_file_is_installed_with_a_warning(cloudrepo, cloudrepo_package, cloudrepo_venv):
    """pip installs a pinned release although it is yanked, and prints the reason.

    pip, tests/functional/test_install.py, test_install_yanked_file_and_print_warning
    """
    wheel = cloudrepo_package("demo", "3.0")
    cloudrepo.publish(wheel)
    cloudrepo.yank(wheel.name, "test reason message")
    installed = cloudrepo_venv.install("demo==3.0", index=cloudrepo)
    assert "Reason for being yanked: test reason message" in installed.stderr
    assert cloudrepo_venv.version("demo") == "3.0"


def test_core_metadata_with_a_wrong_hash_is_rejected(cloudrepo, cloudrepo_package, cloudrepo_venv):
    """The core metadata must have the hash that the project page states.

    pip, tests/functional/test_install_metadata.py, test_incorrect_metadata_hash
    """
    cloudrepo.publish(cloudrepo_package("demo", "3.0"))
    with cloudrepo.fault("wrong-metadata-hash"):
        failed = cloudrepo_venv.install("demo==3.0", index=cloudrepo, check=False)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.stderr
    assert cloudrepo_venv.version("demo") is None


def test_a_dry_run_downloads_core_metadata_only(cloudrepo, cloudrepo_venv):
    """`install --dry-run` resolves dependencies without downloading any distribution.

    pip, tests/functional/test_install_metadata.py,
    test_dry_run_avoids_downloading_metadata_only_dists
    """
    cloudrepo.publish_all({"app": {"1.0": ["base"]}, "base": {"1.0": []}})
    dry_run = cloudrepo_venv.install("--dry-run", "app", index=cloudrepo)
    assert "Would install app-1.0 base-1.0" in dry_run.stdout
    assert cloudrepo.requests.downloads() == []
    cloudrepo_venv.install("app", index=cloudrepo)
    assert len(cloudrepo.requests.downloads()) == 2


def test_no_input_disables_the_password_prompt(cloudrepo, cloudrepo_venv):
    """With `--no-input`, pip fails on a 401 response instead of prompting for credentials.

    pip, tests/functional/test_install_config.py, test_do_not_prompt_for_authentication
    """
    cloudrepo.publish_all({"demo": {"3.0": []}})
    with cloudrepo.fault("status", status=401, path="*.whl"):
        failed = cloudrepo_venv.install("--no-input", "demo", index=cloudrepo, check=False)
    assert "ERROR: HTTP error 401" in failed.stderr
    assert "User for" not in failed.stdout
