from __future__ import annotations

import pytest
from cli_models import write_files


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    path = tmp_path_factory.mktemp("model-cli")
    write_files(path)
    return path


@pytest.fixture
def here(model_files, monkeypatch):
    """The folder of `cli_models.write_files`, where the program runs."""
    monkeypatch.chdir(model_files)
    return model_files
