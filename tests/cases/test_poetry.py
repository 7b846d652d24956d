"""Tests of Poetry, rewritten with the fixtures of pytest-cloudrepo."""

import pytest


@pytest.mark.parametrize("dialect", ["pypi", "devpi", "gitlab", "nexus", "artifactory"])
def test_skip_existing_recognizes_the_rejections_of_every_registry(
    cloudrepo_factory, cloudrepo_project, dialect
):
    """`--skip-existing` recognizes how each registry rejects an existing file.

    Poetry, tests/publishing/test_uploader.py, test_uploader_skips_existing
    """
    index = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    index.publish(*cloudrepo_project("demo", "1.0").build())
    project = cloudrepo_project("demo", "1.0", files={"demo.py": "changed = True"})
    project.build()
    publish = ("poetry", "publish", "--repository", "cloudrepo")
    assert not index.run(*publish, cwd=project.folder, check=False).ok
    index.run(*publish, "--skip-existing", cwd=project.folder)
    assert all(upload.refused for upload in index.requests.uploads())


def test_environment_variables_configure_the_repository(cloudrepo, cloudrepo_project):
    """Poetry reads the URL and the credentials of a repository from environment variables.

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


def test_a_client_certificate_is_sent_to_the_repository(
    cloudrepo, cloudrepo_server, cloudrepo_project
):
    """Poetry identifies itself with the client certificate that its configuration names.

    Poetry, tests/publishing/test_publisher.py, test_publish_uses_client_cert
    """
    project = cloudrepo_project("demo", "1.0")
    project.build()
    environ = cloudrepo.environ | {"POETRY_REPOSITORIES_CLOUDREPO_URL": cloudrepo.mutual_tls_url}
    publish = ("poetry", "publish", "--repository", "cloudrepo")
    assert not cloudrepo.run(*publish, environ=environ, cwd=project.folder, check=False).ok
    assert cloudrepo.requests == []
    certificate = cloudrepo_server.client_certificate.path
    environ["POETRY_CERTIFICATES_CLOUDREPO_CLIENT_CERT"] = str(certificate)
    cloudrepo.run(*publish, environ=environ, cwd=project.folder)
    assert cloudrepo.versions("demo") == ["1.0"]
