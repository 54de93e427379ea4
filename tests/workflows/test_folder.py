import os
from pathlib import Path

import pytest

from mmx.errors import OutputError
from mmx.workflows.folder import output_folder, refuse_existing, write_text_atomic

as_root = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def old(tmp_path):
    """An output of an earlier run."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "run.jsonl").write_text("{}\n")
    (folder / "old.txt").write_text("old")
    return folder


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir())


def test_the_folder_appears_when_the_block_completes(tmp_path):
    target = tmp_path / "deep" / "out"
    with output_folder(target, force=False) as partial:
        assert partial.parent == target.parent
        assert partial.name == f".out.partial-{os.getpid()}"
        (partial / "a.txt").write_text("a")
        assert not target.exists()
    assert names(target) == ["a.txt"]
    assert names(tmp_path / "deep") == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_when_the_block_fails(tmp_path, error):
    with pytest.raises(error), output_folder(tmp_path / "out", force=False) as partial:
        (partial / "a.txt").write_text("a")
        raise error
    assert names(tmp_path) == []


def test_an_existing_folder_is_refused_before_the_block_runs(old):
    with pytest.raises(OutputError, match=r"exists already.*--force"), output_folder(old, force=False):
        pytest.fail("the block ran")
    assert (old / "old.txt").read_text() == "old"


def test_force_replaces_everything(old):
    with output_folder(old, force=True) as partial:
        (partial / "new.txt").write_text("new")
        assert (old / "old.txt").read_text() == "old"
    assert names(old) == ["new.txt"]
    assert names(old.parent) == ["out"]


def test_force_keeps_the_old_folder_when_the_block_fails(old):
    with pytest.raises(ValueError), output_folder(old, force=True) as partial:
        (partial / "new.txt").write_text("new")
        raise ValueError
    assert names(old) == ["old.txt", "run.jsonl"]
    assert names(old.parent) == ["out"]


def test_force_without_an_old_folder_is_no_error(tmp_path):
    with output_folder(tmp_path / "out", force=True) as partial:
        (partial / "a").write_text("")
    assert names(tmp_path / "out") == ["a"]


def test_force_never_deletes_what_mmx_did_not_write(tmp_path):
    home = tmp_path / "home"
    (home / "photos").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"not an output of mmx.*remove it yourself"):
        refuse_existing(home, force=True)
    assert names(home) == ["photos"]


def test_force_takes_an_empty_folder(tmp_path):
    (tmp_path / "out").mkdir()
    refuse_existing(tmp_path / "out", force=True)


def test_the_working_folder_and_the_root_are_never_replaced(old, monkeypatch):
    (old / "inner").mkdir()
    monkeypatch.chdir(old / "inner")
    for target in (Path(".."), old):
        with pytest.raises(OutputError, match="holds the working folder"):
            refuse_existing(target, force=True)
    with pytest.raises(OutputError, match="root of the file system"):
        refuse_existing(Path("/"), force=True)


def test_a_link_is_followed_and_stays(old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old)
    with output_folder(link, force=True) as partial:
        (partial / "new.txt").write_text("new")
    assert link.is_symlink()
    assert names(old) == ["new.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; expected a folder"):
        refuse_existing(tmp_path / "file", force=True)
    with pytest.raises(OutputError, match=r"cannot be made: .*file is a file"):
        refuse_existing(tmp_path / "file" / "out", force=False)


@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_a_parent_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="may not be written"):
        refuse_existing(tmp_path / "out", force=False)
    tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"Permission denied.*another --out"), output_folder(tmp_path / "out", force=False):
        pytest.fail("the block ran")


def test_results_are_kept_when_the_target_appears_meanwhile(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(OutputError, match="results are in") as caught, output_folder(target, force=False) as partial:
        (partial / "mine.txt").write_text("mine")
        target.mkdir()
        (target / "theirs.txt").write_text("theirs")
    assert names(target) == ["theirs.txt"]
    kept = tmp_path / f"out.kept-{os.getpid()}"
    assert str(kept) in str(caught.value)
    assert names(kept) == ["mine.txt"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_be_put_there(old, monkeypatch):
    rename = os.rename

    def fail_once(source, target):
        if ".partial-" in str(source) and Path(target) == old:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises(OutputError, match="No space left"), output_folder(old, force=True) as partial:
        (partial / "new.txt").write_text("new")
    assert names(old) == ["old.txt", "run.jsonl"]
    assert names(old.parent) == ["out", f"out.kept-{os.getpid()}"]


def test_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_text_atomic(path, "größe\n")
    assert path.read_bytes() == "größe\n".encode()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_text_atomic(path, "new")
    assert path.read_text(encoding="utf-8") == "größe\n"
    assert names(tmp_path) == ["summary.json"]
