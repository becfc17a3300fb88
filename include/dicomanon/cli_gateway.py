"""``dicomanon gateway``: the researchers' read-only DICOMweb door to the research PACS."""

import logging

from dicomanon.console import say


def gateway() -> None:
    """Serve what was released, by DICOMweb (QIDO-RS, WADO-RS), to whoever shows a token of `dicomanon token create`.

    Needs no keyring: DICOMANON_CROSSWALK_DSN of a login that may act as gateway, DICOMANON_RESEARCH__URL and its login,
    and what DICOMANON_GATEWAY__… says otherwise. Ends with SIGTERM or Ctrl-C.
    """
    from dicomanon.gateway.serving import run
    from dicomanon.local_stack.stack import require_site
    from dicomanon.settings import GatewaySettings

    require_site()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    run(GatewaySettings.load(), say)
