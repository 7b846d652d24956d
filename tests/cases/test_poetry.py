"""What Poetry's own tests ask of an index."""

import pytest


@pytest.mark.parametrize("dialect", ["pypi", "devpi", "gitlab", "nexus", "artifactory"])
def test_what_is_there_is_skipped_wherever(cloudrepo_factory, cloudrepo_project, dialect):
    """`--skip-existing` knows each registry's refusal of a file that it has.

    Poetry, tests/publishing/test_uploader.py, test_uploader_skips_existing
    """
    index = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    index.publish(*cloudrepo_project("demo", "1.0").build())
    project = cloudrepo_project("demo", "1.0", files={"demo.py": "other = True"})
    project.build()
    publish = ("poetry", "publish", "--repository", "cloudrepo")
    assert not index.run(*publish, cwd=project.folder, check=False).ok
    index.run(*publish, "--skip-existing", cwd=project.folder)
    assert all(upload.refused for upload in index.requests.uploads())


def test_variables_tell_the_repository_and_the_login(cloudrepo, cloudrepo_project):
    """Repository and login are read from the environment, if nothing else says them.

    Poetry, tests/publishing/test_publisher.py, test_publish_read_from_environment_variable
    """
    project = cloudrepo_project("demo", "1.0")
    project.build()
    environ = cloudrepo.environ_for("pip") | {
        "POETRY_REPOSITORIES_FOO_URL": cloudrepo.url,
        "POETRY_HTTP_BASIC_FOO_USERNAME": cloudrepo.username,
        "POETRY_HTTP_BASIC_FOO_PASSWORD": cloudrepo.password,
    }
    publish = ("poetry", "publish", "--repository", "foo")
    cloudrepo.run(*publish, environ=environ, cwd=project.folder)
    assert [upload.user for upload in cloudrepo.requests.uploads()] == [cloudrepo.username] * 2
