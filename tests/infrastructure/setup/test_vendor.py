"""The vendor layer's lock: cut from the project's, pins and hashes and nothing else."""

import pytest

from infrastructure.setup import vendor
from infrastructure.setup.layout import ROOT

PROJECT = """\
alpha-two==1.0 ; sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via wharfage
beta==2.0 \\
    --hash=sha256:cc
    # via
    #   alpha-two
"""


def test_a_lock_has_the_named_pins_with_all_their_hashes():
    assert vendor.lock("Alpha_Two\n", PROJECT) == (
        "alpha-two==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )


def test_a_name_that_the_project_does_not_pin_is_a_mistake():
    with pytest.raises(KeyError, match="gamma"):
        vendor.lock("beta\ngamma\n", PROJECT)


def test_the_layers_lock_is_cut_from_the_projects():
    project = (ROOT / "requirements.lock").read_text()

    assert vendor.LOCK.read_text() == vendor.lock(vendor.SOURCE.read_text(), project)
