"""The project of the demo, for which its login of Airflow may ask at once."""

from importlib import resources
from typing import TYPE_CHECKING

from dicomanon.account import signer
from dicomanon.cohort.project_file import ProjectFile

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

REQUESTER = "researcher"
_WHY = "the demo's own project"


def declare_demo_project(crosswalk: "Crosswalk") -> str:
    """Set the project's terms and let the researcher ask for it; return its name. What stands already stays."""
    text = resources.files("dicomanon.local_stack").joinpath("demo_project.toml").read_text("utf-8")
    wanted = ProjectFile.parse(text)
    crosswalk.projects.set(wanted.project, wanted.terms(), actor=signer(), reason=_WHY)
    crosswalk.projects.add_requester(wanted.project, REQUESTER, actor=signer(), reason=_WHY)
    return wanted.project
