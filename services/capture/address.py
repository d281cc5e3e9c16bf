"""What a source's address looks like, and how it is shown: never with a password.

Pure, but for the question whether a file exists.
"""

import os.path
import re
from typing import Final

SYNTHETIC: Final = "synthetic:"
DEVICE: Final = "/dev/"
RTSP: Final = ("rtsp://", "rtsps://")
HTTP: Final = ("http://", "https://")
PREFIXES: Final = (SYNTHETIC, DEVICE, *RTSP, *HTTP)
HIDDEN: Final = "***"

# The user's part is taken to end at the last @ there is: passwords with a bare @ or / are common in cameras'
# addresses, and hiding too much of a path is the lesser fault.
_USER_PART: Final = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s'\"]*)@")
_SECRET_FIELD: Final = re.compile(
    r"(?P<name>[?&;][^=&;#\s]*(?:pass|pwd|pw|token|secret|key|auth|sig)[^=&;#\s]*=)[^&;#\s'\"]*", re.IGNORECASE
)


def is_source(source: str) -> bool:
    """Whether a source can be made of this."""
    return source.startswith(PREFIXES) or os.path.exists(source)  # noqa: PTH110 - Path raises on names too long


def without_password(text: str) -> str:
    """The text with the password of every URL in it, and every query field that sounds like a secret, shown as `***`."""

    def hide(match: re.Match[str]) -> str:
        user, colon, _password = match["user"].partition(":")
        return f"{match['scheme']}{user}{colon and ':' + HIDDEN}@"

    return _SECRET_FIELD.sub(lambda match: match["name"] + HIDDEN, _USER_PART.sub(hide, text))
