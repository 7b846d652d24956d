"""What pipx's own tests ask of an index."""


def test_upgrading_needs_what_is_installed(cloudrepo):
    """What is not installed cannot be upgraded; what is, is, once there is a newer version.

    pipx, tests/test_upgrade.py, test_upgrade
    """
    command = {"entry_points": {"console_scripts": {"cow": "pycowsay:main"}}}
    cloudrepo.publish_all({"pycowsay": {"0.1": command}})
    assert not cloudrepo.run("pipx", "upgrade", "pycowsay", check=False).ok
    cloudrepo.run("pipx", "install", "pycowsay")
    assert "already at latest version 0.1" in cloudrepo.run("pipx", "upgrade", "pycowsay").stdout
    cloudrepo.publish_all({"pycowsay": {"0.2": command}})
    assert "from 0.1 to 0.2" in cloudrepo.run("pipx", "upgrade", "pycowsay").stdout


def test_a_package_is_injected_beside_another(cloudrepo):
    """A package is installed into the environment of a command that has been there before.

    pipx, tests/test_inject.py, test_inject_single_package
    """
    command = {"entry_points": {"console_scripts": {"cow": "pycowsay:main"}}}
    cloudrepo.publish_all({"pycowsay": {"0.1": command}, "jaraco.clipboard": {"2.0.1": []}})
    cloudrepo.run("pipx", "install", "pycowsay")
    told = cloudrepo.run("pipx", "inject", "pycowsay", "jaraco.clipboard==2.0.1").stdout
    assert "injected package jaraco-clipboard into venv pycowsay" in told
