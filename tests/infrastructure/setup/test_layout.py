"""Children of set-up write into the checkout and import nothing from elsewhere."""

from pathlib import Path

from infrastructure.setup.layout import CACHE, ROOT, VENV, child_environment, shown


def test_a_child_sees_no_path_of_another_python():
    child = child_environment({"PYTHONPATH": "/x", "PYTHONHOME": "/y", "VIRTUAL_ENV": "/z"})

    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} & set(child)


def test_a_childs_caches_lie_in_the_checkout():
    child = child_environment({})

    assert child["PIP_CACHE_DIR"] == str(CACHE / "pip")
    assert child["UV_CACHE_DIR"] == str(CACHE / "uv")


def test_a_cache_and_an_index_that_somebody_chose_stay():
    chosen = {"PIP_CACHE_DIR": "/theirs", "PIP_INDEX_URL": "https://mirror.example"}

    assert chosen.items() <= child_environment(chosen).items()


def test_a_child_finds_the_environments_programs_first():
    assert child_environment({"PATH": "/bin"})["PATH"] == f"{VENV}/bin:/bin"


def test_a_path_is_shown_from_the_checkout_if_it_lies_there():
    assert shown(ROOT / "var" / "envs") == "var/envs"
    assert shown(Path("/elsewhere")) == "/elsewhere"
