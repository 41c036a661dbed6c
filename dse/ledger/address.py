"""The URL of a storage as a text that may hold a password: what is shown of it, and how it leaves the command line.

Libraries put URLs into their error texts, and every user of a machine can read the command lines of all processes:
whatever is shown or kept passes `redacted`, and a password that was typed is handed on in the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

HIDDEN = "***"
SECRETS = re.compile(r"[?&][^=&]*(pass|pwd|secret|token|key)[^=&]*=", re.IGNORECASE)
# user and password before the last @ of the authority, options after a question mark
LOGIN = re.compile(r"([A-Za-z][\w+.-]*:/+)\S*@")  # a path in the place of an address has one slash
PARTS = re.compile(r"^(?P<scheme>[\w+.-]*:/*)(?:(?P<user>.*)@)?(?P<place>[^?#]*)(?P<options>[?#].*)?$", re.DOTALL)
OPTION = "--storage"
VARIABLE = "SVIT_DSE_STORAGE"  # of the environment, in its place


def redacted(url: str) -> str:
    """A storage URL without user, password and options, which may be secret."""
    if not (parts := PARTS.match(url)):
        return HIDDEN
    user = f"{HIDDEN}@" if parts["user"] is not None else ""
    return f"{parts['scheme']}{user}{parts['place']}" + (f"?{HIDDEN}" if parts["options"] else "")


def without_logins(text: str) -> str:
    """A text in which no address of any kind has its user and password, such as one given in a wrong place."""
    return LOGIN.sub(rf"\1{HIDDEN}@", text)


def without_secrets(text: str, url: str | None) -> str:
    """A text without the secret parts of a storage URL, as typed and as decoded."""
    if not url:
        return text
    text = text.replace(url, redacted(url))
    parts = PARTS.match(url)
    user = "" if parts is None else parts["user"] or ""
    pieces = [piece for piece in re.split("[:@]", user) if len(piece) > 3]  # a library may cut elsewhere
    whole = user if ":" in user else ""  # a short name alone is no secret, and part of many a word
    secrets = [] if parts is None else [whole, user.partition(":")[2], parts["options"], *pieces]
    for secret in sorted({s for found in secrets if found for s in (found, unquote(found))}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def shown_command(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the secret parts of a storage URL left out."""
    out, url = [], False
    for word in words:
        option, equals, value = word.partition("=")
        if url:
            word = redacted(word)
        elif equals and option == OPTION:
            word = f"{option}={redacted(value)}"
        url = word == OPTION
        out.append(word)
    return out


def secret(url: str) -> bool:
    """Whether a URL holds a password, or an option that is called like one."""
    parts = PARTS.match(url)
    return parts is not None and (":" in (parts["user"] or "") or bool(SECRETS.search(parts["options"] or "")))


def typed(words: Sequence[str]) -> str | None:
    """The URL with a password among the words of a command line; None where there is none."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        option, _, value = word.partition("=")
        url = after if word == OPTION else value
        if option == OPTION and secret(url):
            return url
    return None


def meant(url: str | None, environment: Mapping[str, str]) -> str | None:
    """The URL that an option gives: that of the environment, where the option says it without its secret parts."""
    kept = environment.get(VARIABLE, "")
    return kept if url is not None and kept and url == redacted(kept) else url
