import shutil

import pytest

from mmx.schema import TrackingSettings
from mmx.track.client import connect


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An empty store, made once: MLflow's first use of a database takes seconds."""
    database = tmp_path_factory.mktemp("template") / "new folder" / "mlflow.db"
    connect(f"sqlite:///{database}")
    return database


@pytest.fixture
def store(template, tmp_path):
    """Settings on a store of its own, in a folder with a space in its name."""
    folder = tmp_path / "my runs"
    folder.mkdir()
    shutil.copy(template, folder / "mlflow.db")
    return TrackingSettings(uri=f"sqlite:///{folder}/mlflow.db", experiment="mmx")
