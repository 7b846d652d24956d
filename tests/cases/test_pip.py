"""What pip's own tests ask of an index."""


def test_a_yanked_file_is_installed_with_a_warning(cloudrepo, cloudrepo_package, cloudrepo_venv):
    """A release that is pinned is installed though it was yanked, and the reason is told.

    pip, tests/functional/test_install.py, test_install_yanked_file_and_print_warning
    """
    wheel = cloudrepo_package("demo", "3.0")
    cloudrepo.publish(wheel)
    cloudrepo.yank(wheel.name, "test reason message")
    installed = cloudrepo_venv.install("demo==3.0", index=cloudrepo)
    assert "Reason for being yanked: test reason message" in installed.stderr
    assert cloudrepo_venv.version("demo") == "3.0"


def test_core_metadata_with_another_hash_is_refused(cloudrepo, cloudrepo_package, cloudrepo_venv):
    """Where the page tells a hash of the core metadata, the metadata file must have it.

    pip, tests/functional/test_install_metadata.py, test_incorrect_metadata_hash
    """
    cloudrepo.publish(cloudrepo_package("demo", "3.0"))
    with cloudrepo.fault("wrong-metadata-hash"):
        refused = cloudrepo_venv.install("demo==3.0", index=cloudrepo, check=False)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr
    assert cloudrepo_venv.version("demo") is None


def test_a_dry_run_downloads_core_metadata_alone(cloudrepo, cloudrepo_venv):
    """`install --dry-run` resolves dependencies, and downloads no distribution for it.

    pip, tests/functional/test_install_metadata.py,
    test_dry_run_avoids_downloading_metadata_only_dists
    """
    cloudrepo.publish_all({"app": {"1.0": ["base"]}, "base": {"1.0": []}})
    told = cloudrepo_venv.install("--dry-run", "app", index=cloudrepo)
    assert "Would install app-1.0 base-1.0" in told.stdout
    assert cloudrepo.requests.downloads() == []
    cloudrepo_venv.install("app", index=cloudrepo)
    assert len(cloudrepo.requests.downloads()) == 2


def test_nobody_is_asked_for_a_login_with_no_input(cloudrepo, cloudrepo_venv):
    """With `--no-input`, a file that wants another login is an error and no prompt.

    pip, tests/functional/test_install_config.py, test_do_not_prompt_for_authentication
    """
    cloudrepo.publish_all({"demo": {"3.0": []}})
    with cloudrepo.fault("status", status=401, path="*.whl"):
        refused = cloudrepo_venv.install("--no-input", "demo", index=cloudrepo, check=False)
    assert "ERROR: HTTP error 401" in refused.stderr
    assert "User for" not in refused.stdout
