"""What hatch's own tests ask of an index."""

import pytest


@pytest.mark.cloudrepo(dialect="devpi", overwrite_protection=True)
def test_what_is_there_already_is_passed_over(cloudrepo, cloudrepo_project):
    """Of files that are there already, `hatch publish` says so and goes on.

    hatch, tests/cli/publish/test_publish.py, test_already_exists
    """
    project = cloudrepo_project("demo", "1.0")
    project.build()
    assert cloudrepo.run("hatch", "publish", cwd=project.folder).output.count("... success") == 2
    again = cloudrepo.run("hatch", "publish", cwd=project.folder)
    assert again.output.count("... already exists") == 2
    assert len(cloudrepo.requests.uploads()) == 2


def test_a_named_repository_counts_more_than_the_rest(cloudrepo, cloudrepo_project, tmp_path):
    """The login of a repository that the configuration names counts more than the general one.

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
