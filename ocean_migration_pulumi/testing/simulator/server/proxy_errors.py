"""The answers that are not the service's own: what proxies and load balancers send when something breaks."""

from __future__ import annotations

import http
from collections.abc import Callable

from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.server.faults import ENVELOPED, Fault

_PAGE = "<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>\r\n"


def page(status: int) -> Response:
    """Return a web server's own page for a status."""
    title = f"{status} {http.HTTPStatus(status).phrase}"
    return Response(_PAGE.format(title=title), status, media_type="text/html")


def of_fault(fault: Fault, enveloped: Callable[[int], Response]) -> Response:
    """Return the answer of a fault that keeps the request from its effect."""
    if fault.kind in ENVELOPED:
        return enveloped(int(fault.kind))
    if fault.kind == "status":
        return enveloped(fault.status or 500)
    if fault.kind == "html-404":
        return page(404)
    response = page(int(fault.kind))
    if fault.kind == "503":
        response.headers["Retry-After"] = str(int(fault.seconds or 1))
    return response
