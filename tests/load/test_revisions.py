import subprocess

import pytest

from config.embedded.errors import StartError
from tests.load.revisions import checked_out

_MAKEFILE = "setup:\n\t@mkdir -p .venv/bin && echo $(ARGS) > .venv/bin/python\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with two commits, of which only the first can be set up."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Bench")
        monkeypatch.setenv(f"{name}_EMAIL", "bench@example.com")
    git(tmp_path, "init", "--quiet")
    for makefile in (_MAKEFILE, "setup:\n\t@echo no wheel for this platform; false\n"):
        (tmp_path / "Makefile").write_text(makefile)
        (tmp_path / ".gitignore").write_text(".data\n.venv\n.env\n")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", "Commit")
    return tmp_path


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def is_clean(repository):
    return (
        len(git(repository, "worktree", "list").splitlines()) == 1
        and not list((repository / ".data" / "bench").iterdir())
        and not git(repository, "status", "--porcelain")
    )


def test_revision_is_checked_out_and_set_up_by_its_own_makefile(repository):
    with checked_out("HEAD~1", repository=repository) as tree:
        assert (tree.root / "Makefile").read_text() == _MAKEFILE
        assert (tree.binaries / "python").exists()
        assert git(repository, "rev-parse", "HEAD~1").startswith(tree.name)
    assert is_clean(repository)


def test_checkout_reads_the_same_env_file_as_the_present_tree(repository):
    (repository / ".env").write_text("WORKER_CONCURRENCY=50\n")

    with checked_out("HEAD~1", repository=repository) as tree:
        assert (tree.root / ".env").read_text() == "WORKER_CONCURRENCY=50\n"


def test_arguments_of_the_outer_make_do_not_reach_the_set_up(repository, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=outer")
    monkeypatch.setenv("ARGS", "outer")

    with checked_out("HEAD~1", repository=repository) as tree:
        assert (tree.binaries / "python").read_text() == "\n"


def test_checkout_is_removed_after_ctrl_c(repository):
    with pytest.raises(KeyboardInterrupt), checked_out("HEAD~1", repository=repository):
        raise KeyboardInterrupt
    assert is_clean(repository)


def test_checkout_that_cannot_be_set_up_is_removed_and_its_output_shown(repository):
    with (
        pytest.raises(StartError, match="no wheel for this platform"),
        checked_out("HEAD", repository=repository),
    ):
        pass
    assert is_clean(repository)


def test_unknown_revision_is_refused(repository):
    with pytest.raises(StartError, match="no such revision"), checked_out("--no-such", repository=repository):
        pass
