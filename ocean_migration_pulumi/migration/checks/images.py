"""Names of container images."""

from __future__ import annotations


def image_repository(image: str) -> str:
    """Return an image without its tag and digest."""
    name = image.partition("@")[0]
    tag = image_tag(image)
    return name.removesuffix(f":{tag}") if tag else name


def image_tag(image: str) -> str:
    """Return the tag of an image, empty when it has none; what follows the last colon may be a port and a path."""
    _, colon, tag = image.partition("@")[0].rpartition(":")
    return "" if not colon or "/" in tag else tag
