"""``dicomanon seal``: seals a request on the requester's own machine, so that nothing identifying leaves it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from dicomanon.cohort.parameters import COHORT_DAG_ID, PARAMETERS, check_conf
from dicomanon.console import out
from dicomanon.errors import Fatal


def seal(
    request: Annotated[
        typer.FileText, typer.Argument(help="JSON object of the DAG's parameters, as `conf` has them; - for stdin.")
    ],
    key: Annotated[
        Path,
        typer.Option(
            help="File with what Airflow shows below /dicomanon/request-key, or with the public key in hex or base64.",
            exists=True,
            dir_okay=False,
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARAMETER=FILE",
            help="A list out of a file: an entry a line, or a CSV with headings. May be given several times.",
        ),
    ] = None,
    dag: Annotated[str, typer.Option(help="Which DAG the request is for: what is sealed opens nowhere else.")] = (
        COHORT_DAG_ID
    ),
) -> None:
    """Check a request and print it sealed, as JSON to send as `conf`. Needs no server, and writes nothing."""
    from dicomanon.cohort.criteria import CohortCriteria
    from dicomanon.cohort.sealing import is_sealed, seal_conf

    if dag not in PARAMETERS:
        raise typer.BadParameter(f"one of {', '.join(PARAMETERS)}", param_hint="--dag")
    conf = _object(request.read())
    for given in column or ():
        name, lines = _column(dag, given)
        conf[name] = lines
    check_conf(dag, conf)
    if any(is_sealed(value) for value in conf.values()):
        raise Fatal("the request has sealed values already: seal it once, from clear text")
    if dag == COHORT_DAG_ID:
        CohortCriteria.read(conf)
    sealed = seal_conf(_public_key(key), dag, conf)
    out.print_json(json.dumps(sealed))


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Fatal("the request is not valid JSON") from None
    if not isinstance(document, dict):
        raise Fatal("the request must be a JSON object: parameters by their names")
    return document


def _column(dag: str, given: str) -> tuple[str, list[str]]:
    name, equals, file = given.partition("=")
    lists = [parameter.name for parameter in PARAMETERS[dag] if parameter.sealed and parameter.many]
    if not equals or name not in lists:
        raise typer.BadParameter(f"PARAMETER=FILE, the parameter one of {', '.join(lists)}", param_hint="--column")
    try:
        return name, Path(file).read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise Fatal(f"the file for {name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Fatal(f"the file for {name} is not UTF-8 text: save it as CSV (UTF-8)") from None


def _public_key(file: Path) -> bytes:
    from dicomanon.cohort.sealing import public_key_from_text

    try:
        text = file.read_text("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise Fatal("the file with the public key is not text") from None
    with suppress(ValueError, KeyError, TypeError):  # which it raises where it is the key alone
        text = json.loads(text)["public_key"]
    return public_key_from_text(str(text))
