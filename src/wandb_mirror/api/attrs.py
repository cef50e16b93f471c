"""What every object has: upstream's fields, read under their snake_case names.

Setting one is local, until ``save()`` of an object that is edited queues it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


class Attrs:
    """An object whose fields upstream names (``wandb.apis.attrs.Attrs``)."""

    def __init__(self, attrs: Mapping[str, Any]) -> None:
        self._attrs = dict(attrs)

    def snake_to_camel(self, string: str) -> str:
        """Return upstream's spelling of a name."""
        camel = "".join(part.title() for part in string.split("_"))
        return camel[:1].lower() + camel[1:]

    def __getattr__(self, name: str) -> Any:
        """Return a field of upstream's, in either spelling."""
        if name.startswith("_"):
            raise AttributeError(name)
        key = self.snake_to_camel(name)
        for each in (key, name):
            if each in self._attrs:
                return self._attrs[each]
        raise AttributeError(f"{repr(self)!r} object has no attribute {name!r}")

    def to_html(self, height: int = 420, hidden: bool = False) -> str | None:
        """Return HTML that shows the object in a page, None where there is none."""
        del height, hidden
        return None

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the object in a notebook; False where this is none, or it cannot be shown."""
        ipython = sys.modules.get("IPython")
        html = self.to_html(height, hidden)
        if ipython is None or ipython.get_ipython() is None or html is None:
            return False
        ipython.display.display(ipython.display.HTML(html))
        return True


def frame(url: str, height: int, *, hidden: bool, name: str) -> str:
    """Return an iframe of a page of upstream's, behind a button where it is hidden."""
    style = f"border:none;width:100%;height:{height}px;"
    button = ""
    if hidden:
        style += "display:none;"
        button = (
            "<button onClick=\"this.nextSibling.style.display='block';this.style.display='none';\">"
            f"Display W&B {name}</button>"
        )
    return f"{button}<iframe src={url + '?jupyter=true'!r} style={style!r}></iframe>"
