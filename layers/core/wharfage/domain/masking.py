"""Masking: people's data as it may be shown to others, recognisable to whoever knows it already."""

import re

_EMAIL = (
    r"[^\s\"'\\<>()\[\]{},;:@=&/]+@(?:[^\s\"'<>()\[\]{},;:@=&/.]+\.)+[^\s\"'<>()\[\]{},;:@=&/.]+"
)
#: A mainland mobile number, and the 16 digits by which Alipay knows people; parts of longer
#: numbers and of ids are neither.
_PHONE = r"(?<![0-9A-Za-z_.])(?:\+?86[- ]?)?1[3-9][0-9]{9}(?![0-9A-Za-z_])"
_BUYER = r"(?<![0-9A-Za-z_.])2088[0-9]{12}(?![0-9A-Za-z_])"
#: A taxpayer's number of 18 characters; by its form also a citizen's.
_TAX = r"(?<![0-9A-Za-z_.])[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z_])"
_PERSONAL = re.compile(
    rf"(?P<email>{_EMAIL})|(?P<phone>{_PHONE})|(?P<buyer>{_BUYER})|(?P<tax>{_TAX})"
)

_SHOWN = 4  #: Characters of a phone number or an id that stay at its end.
_BUYER_CHARACTERS_MIN = 12  #: Of a shorter id nothing is shown.


def email(text: str) -> str:
    """Show the first letter and the domain: `s***@example.com`."""
    local, at, domain = text.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else name(text)


def phone(text: str) -> str:
    """Show how a number begins and ends: `138****5678`."""
    digits = "".join(each for each in text if each in "0123456789")[-11:]
    return f"{digits[:3]}****{digits[-_SHOWN:]}" if len(digits) == 11 else "****"


def name(text: str) -> str:
    """Show the first character of a name: `王*`."""
    return f"{text[:1]}*" if text else ""


def buyer(text: str) -> str:
    """Show how a number of a person or a company begins and ends: `2088****0099`."""
    return f"{text[:4]}****{text[-_SHOWN:]}" if len(text) >= _BUYER_CHARACTERS_MIN else "****"


def text(written: str) -> str:
    """Mask every e-mail address, phone, buyer's and taxpayer's number inside of a text."""
    return _PERSONAL.sub(_masked, written)


def _masked(found: re.Match[str]) -> str:
    mask = {"email": email, "phone": phone, "buyer": buyer, "tax": buyer}[
        found.lastgroup or "email"
    ]
    return mask(found[0])
