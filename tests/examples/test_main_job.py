"""Build a package, upload it with twine and install it with pip."""

import pytest


def test_uploaded_package_can_be_installed(cloudrepo, cloudrepo_project, cloudrepo_venv):
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build())
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"


def test_a_release_cannot_be_replaced_with_overwrite_protection(
    cloudrepo_factory, cloudrepo_project
):
    repository = cloudrepo_factory(overwrite_protection=True)
    repository.upload(*cloudrepo_project("demo", "1.0").build())
    changed = cloudrepo_project("demo", "1.0", files={"demo.py": "x = 2\n"}).build()
    again = repository.upload(*changed, check=False)
    assert not again.ok
    assert "already exists" in again.output


@pytest.mark.cloudrepo(overwrite_protection=False)
def test_a_release_can_be_replaced_without_overwrite_protection(
    cloudrepo, cloudrepo_project, cloudrepo_venv
):
    for value in ("1", "2"):
        cloudrepo.upload(
            *cloudrepo_project("demo", "1.0", files={"demo.py": f"x = {value}\n"}).build()
        )
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.run("-c", "import demo; print(demo.x)").stdout.strip() == "2"
