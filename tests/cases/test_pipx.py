"""Tests of pipx, rewritten with the fixtures of pytest-cloudrepo."""


def test_upgrade_installs_a_newer_version(cloudrepo):
    """`pipx upgrade` fails if the package is missing, and installs a newer version if there is one.

    pipx, tests/test_upgrade.py, test_upgrade
    """
    command = {"entry_points": {"console_scripts": {"cow": "pycowsay:main"}}}
    cloudrepo.publish_all({"pycowsay": {"0.1": command}})
    assert not cloudrepo.run("pipx", "upgrade", "pycowsay", check=False).ok
    cloudrepo.run("pipx", "install", "pycowsay")
    assert "already at latest version 0.1" in cloudrepo.run("pipx", "upgrade", "pycowsay").stdout
    cloudrepo.publish_all({"pycowsay": {"0.2": command}})
    assert "from 0.1 to 0.2" in cloudrepo.run("pipx", "upgrade", "pycowsay").stdout


def test_inject_installs_a_package_into_an_existing_environment(cloudrepo):
    """`pipx inject` installs a package into the environment of an installed command.

    pipx, tests/test_inject.py, test_inject_single_package
    """
    command = {"entry_points": {"console_scripts": {"cow": "pycowsay:main"}}}
    cloudrepo.publish_all({"pycowsay": {"0.1": command}, "jaraco.clipboard": {"2.0.1": []}})
    cloudrepo.run("pipx", "install", "pycowsay")
    output = cloudrepo.run("pipx", "inject", "pycowsay", "jaraco.clipboard==2.0.1").stdout
    assert "injected package jaraco-clipboard into venv pycowsay" in output
