"""Error responses of proxies and load balancers, as HTML pages."""

from __future__ import annotations

import http
from collections.abc import Callable

from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.server.faults import API_ERRORS, Fault

_PAGE = "<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>\r\n"


def render_page(status: int) -> Response:
    """Render the error page of a web server."""
    title = f"{status} {http.HTTPStatus(status).phrase}"
    return Response(_PAGE.format(title=title), status, media_type="text/html")


def render_fault(fault: Fault, render_api_error: Callable[[int], Response]) -> Response:
    """Render the response of a fault that keeps the request from having its effect."""
    if fault.kind in API_ERRORS:
        return render_api_error(int(fault.kind))
    if fault.kind == "status":
        return render_api_error(fault.status or 500)
    if fault.kind == "html-404":
        return render_page(404)
    response = render_page(int(fault.kind))
    if fault.kind == "503":
        response.headers["Retry-After"] = str(int(fault.seconds or 1))
    return response
