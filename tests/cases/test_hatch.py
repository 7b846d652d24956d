"""Tests of hatch, rewritten with the fixtures of pytest-cloudrepo."""

import pytest


@pytest.mark.cloudrepo(dialect="devpi", overwrite_protection=True)
def test_publishing_again_skips_existing_files(cloudrepo, cloudrepo_project):
    """`hatch publish` reports files that already exist, and succeeds.

    hatch, tests/cli/publish/test_publish.py, test_already_exists
    """
    project = cloudrepo_project("demo", "1.0")
    project.build()
    assert cloudrepo.run("hatch", "publish", cwd=project.folder).output.count("... success") == 2
    again = cloudrepo.run("hatch", "publish", cwd=project.folder)
    assert again.output.count("... already exists") == 2
    assert len(cloudrepo.requests.uploads()) == 2


def test_credentials_of_a_named_repository_override_general_credentials(
    cloudrepo, cloudrepo_project, tmp_path
):
    """The credentials of a repository in the configuration override the general credentials.

    hatch, tests/cli/publish/test_publish.py, test_plugin_config_repo_override
    """
    config = cloudrepo.write_config("hatch", tmp_path)
    general = '[publish.index]\nuser = "foo"\nauth = "bar"\n'
    config.write_text(config.read_text().replace("[publish.index]\n", general))
    project = cloudrepo_project("demo", "1.0")
    project.build()
    environ = cloudrepo.environ_for("pip") | {"HATCH_CONFIG": str(config)}
    cloudrepo.run("hatch", "publish", environ=environ, cwd=project.folder)
    assert {upload.user for upload in cloudrepo.requests.uploads()} == {cloudrepo.username}
