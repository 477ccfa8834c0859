"""A page of parts into one HTML file that needs nothing else and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from matscore.colors import LEVELS, color_at, hex_of, ink_on
from matscore.pages.parts import Page

if TYPE_CHECKING:
    import jinja2


class _Level(NamedTuple):
    """A shade, by the name of its class."""

    name: str


class _Heat(NamedTuple):
    """The shades as variables of CSS, on a light ground and on a dark one."""

    light: str
    dark: str
    levels: list[_Level]


def render_page(page: Page) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    page : Page
        Of any text: it is escaped, and the page's policy lets no script run but its own and
        nothing be fetched.

    Returns
    -------
    str
        One file; the same page is the same text.
    """
    environment = _open_environment()
    script = _read(environment, "script.js")
    style = environment.get_template("style.css").render(
        heat=_Heat(_write_shades(dark=False), _write_shades(dark=True), [*_iter_levels()]),
    )
    from markupsafe import Markup

    return environment.get_template("page.html.j2").render(
        page=page,
        policy=_write_policy(script),
        style=Markup(style),
        script=Markup(script),
        level_name=level_name,
        scale=[level_name(level) for level in range(-LEVELS, LEVELS + 1, 2)],
    )


def level_name(level: int) -> str:
    """Return the class of a shade.

    Examples
    --------
    >>> level_name(-10), level_name(0), level_name(7)
    ('l10', 'm0', 'h7')
    """
    return f"m{level}" if level == 0 else f"{'l' if level < 0 else 'h'}{abs(level)}"


def _open_environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("matscore.pages"),
        autoescape=lambda name: name is None or name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(environment: jinja2.Environment, name: str) -> str:
    if environment.loader is None:
        raise RuntimeError("the environment has no loader")
    return environment.loader.get_source(environment, name)[0]


def _write_policy(script: str) -> str:
    """Return a policy under which only our own script runs, and nothing is fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _iter_levels() -> Iterator[_Level]:
    yield from (_Level(level_name(level)) for level in range(-LEVELS, LEVELS + 1))


def _write_shades(*, dark: bool) -> str:
    """Return the grounds of all shades, and the ink that is read best on each."""
    shades = []
    for level in range(-LEVELS, LEVELS + 1):
        ground, name = color_at(level / LEVELS, dark=dark), level_name(level)
        shades.append(f"--g{name}:{hex_of(ground)};--i{name}:{hex_of(ink_on(ground))};")
    return "".join(shades)
