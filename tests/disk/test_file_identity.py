from pathlib import Path

from batchbg.disk.file_identity import lies_in


def test_folders_are_compared_by_what_they_are(tmp_path: Path):
    """By whatever name they are called; one that is not there yet lies where it would be made."""
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "other").symlink_to("photos")
    photos, other = tmp_path / "photos", tmp_path / "other"
    assert lies_in(other, photos)
    assert lies_in(photos, other)
    assert lies_in(other / "sub" / "new" / "output", photos)
    assert not lies_in(photos, other / "sub")
    assert not lies_in(tmp_path / "output", photos)
    assert not lies_in(photos, tmp_path / "nowhere")
