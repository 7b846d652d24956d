"""Tests of bandersnatch, rewritten with the fixtures of pytest-cloudrepo."""


def test_a_mirror_reads_only_what_changed(cloudrepo_factory, cloudrepo_package, tmp_path):
    """The second synchronization reads only the projects whose serials are greater.

    bandersnatch, src/bandersnatch/tests/test_mirror.py, test_determine_packages_to_sync
    """
    index = cloudrepo_factory(dialect="pypi")
    (tmp_path / "mirror").write_text(f"[mirror]\ndirectory = {tmp_path}\napi-method = simple\n")
    read = []
    for releases in (["demo 1.0", "other 1.0"], ["demo 2.0"]):
        index.publish(*(cloudrepo_package(*release.split()) for release in releases))
        mirror = ("bandersnatch", "--config", tmp_path / "mirror", "mirror")
        index.run(*mirror, environ=index.impersonate("pypi"))
        read.append([each.project for each in index.requests if each.path.endswith("/json")])
        index.requests.clear()
    assert [sorted(projects) for projects in read] == [["demo", "other"], ["demo"]]
    files = {path.name.split("-py3-")[0] for path in tmp_path.glob("web/packages/*/*/*/*.whl")}
    assert files == {"demo-1.0", "demo-2.0", "other-1.0"}
