"""What the standard says, in short, where it decides more than one class of disagreements."""

from __future__ import annotations

from typing import Final

GRAMMAR: Final = "A chunk extension is `;` with a token and, behind `=`, a token or a quoted string."
BAD_SPACE: Final = "There may be whitespace, which a recipient must remove; it must not be sent."
LARGE: Final = "A set of fields that is larger than a server wishes to process is answered with a 4xx status."
EXTENSIONS: Final = "A server ought to limit the total length of the chunk extensions in a request."
FORMS: Final = (
    "A target has the origin, absolute, authority or asterisk form; the last two are CONNECT's and OPTIONS'."
)
CODING: Final = "To a transfer coding that it does not understand a server should respond with 501."
HOST: Final = "A server must answer 400 to a request without a Host field, with two, or with one whose value is invalid."
LINE: Final = "A request line is method, target and version with single spaces between them; what else is taken is a risk."
SPACE: Final = "Optional whitespace is any number of spaces and tabs, and no part of what it surrounds."
BIG_LENGTH: Final = "There is no limit to the value, and a recipient must not fail by converting it."
BIG_SIZE: Final = "A recipient must anticipate large numerals and not fail by converting them."
FAULTY: Final = "The framing of such a message is faulty; the connection is closed."
LATE: Final = "Fields about framing must not be sent in a trailer section."
REPEATED: Final = (
    "A sender must not do this; what a recipient does is not said, but for Host and the framing."
)
