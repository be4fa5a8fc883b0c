import os
from pathlib import Path

from tests.load.system import System
from tests.load.tree import Tree


def test_killed_process_is_started_again(tmp_path):
    (tmp_path / "Procfile").write_text("worker: exec sleep 60\n")
    (tmp_path / "log").mkdir()
    tree = Tree("sleeping", tmp_path, tmp_path)
    system = System(tree, tmp_path, dict(os.environ), {})

    try:
        system.start("worker-1", tree.commands()["worker-1"], cwd=tmp_path)
        before = system.pids["worker-1"]
        system.kill_and_restart("worker-1")

        assert not Path(f"/proc/{before}").exists()
        assert system.pids["worker-1"] != before
        assert system.processes["worker-1"].poll() is None
    finally:
        system.stop(["worker-1"])
    assert system.processes["worker-1"].poll() is not None
