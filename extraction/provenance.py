"""
Whether a value was said: whatever the model was talked into, nothing is kept that nobody said.

Words and numbers are compared as they sound: case, accents and punctuation aside.
"""

import re
import unicodedata
from collections.abc import Iterable

import phonenumbers

from extraction import transcripts
from extraction.transcripts import Line, Transcript

_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+")
# Digits and what stands between those of one number; a letter, a comma or a line break ends it.
_NUMBER = re.compile(r"\+?\d[\d \t\u00a0\u202f()./\-\u2010-\u2015]*")
# Scripts whose words stand together without a space, or carry their endings.
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# In a text without runs of white space: these are also run over what customers make up.
_AT = re.compile(r" ?[(\[{]? ?(?<!\w)(?:at|arroba|arobase|ät|chiocciola|собака)(?!\w) ?[)\]}]? ?")
_DOT = re.compile(r" ?[(\[{]? ?(?<!\w)(?:dot|punkt|punto|ponto|point|точка)(?!\w) ?[)\]}]? ?")
_UNDERSCORE = re.compile(r" ?(?<!\w)(?:underscore|unterstrich)(?!\w) ?")
_DASH = re.compile(r" ?(?<!\w)(?:dash|hyphen|minus|bindestrich)(?!\w) ?")
_SPELLED = re.compile(r"(?<!\w)\w(?:[ -]\w(?!\w)){2,}")


def is_email_written(email: str, transcript: Transcript) -> bool:
    """Return whether the customer wrote an address, `ada at example dot com` counting as well."""
    wanted = re.compile(rf"(?<![\w.+-]){re.escape(email.casefold())}(?![\w-]|\.\w)")
    return any(
        wanted.search(form) for line in transcript.customer_lines for form in _forms_of_addresses(line.own)
    )


def is_phone_written(phone: str, transcript: Transcript) -> bool:
    """Return whether the customer wrote a number (`+…`), with or without prefix, or writes from it."""
    if phone == transcript.customer_phone:
        return True
    forms = _forms_of_number(phone, transcript.region)
    return any(
        _occurs(form, _DIGITS.findall(written))
        for line in transcript.customer_lines
        for written in _NUMBER.findall(unicodedata.normalize("NFKC", _with_our_digits(line.own)))
        for form in forms
    )


def is_name_written(name: str, transcript: Transcript, cited: Iterable[Line]) -> bool:
    """
    Return whether a name is the one in the profile, or occurs in a message of the customer.

    Its parts may stand apart where they are cited ("I'm Ada" … "Lovelace, by the way").
    """
    if is_written(name, transcript.customer_name) or are_words_written(name, transcript):
        return True
    known_words = {*_words(transcript.customer_name)}
    for line in cited:
        known_words.update(_words(line.own) if line.is_customers else ())
    return bool(_words(name)) and known_words.issuperset(_words(name))


def are_words_written(words: str, transcript: Transcript) -> bool:
    """Return whether words occur, in this order, in a message of the customer."""
    return any(is_written(words, line.own) for line in transcript.customer_lines)


def is_written(words: str, text: str) -> bool:
    """Return whether words occur in a text, in this order."""
    wanted = _words(words)
    if not wanted:
        return False
    if _UNSPACED.search(words):
        return "".join(wanted) in "".join(_words(text))
    return _occurs("".join(wanted), _words(text))


def is_quoted(words: str, lines: Iterable[Line]) -> bool:
    """Return whether words occur in one of these lines, case and white space aside."""
    wanted = _squeezed(words)
    return bool(wanted) and any(wanted in _squeezed(line.text) for line in lines)


def _forms_of_addresses(text: str) -> list[str]:
    """Return a text with the addresses in it normalized from the ways people space out and spell them."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    joined = re.sub(r" ?@ ?", "@", plain)
    put = _AT.sub("@", _DOT.sub(".", _SPELLED.sub(lambda spelled: re.sub(r"[ -]", "", spelled[0]), joined)))
    put = _DASH.sub("-", _UNDERSCORE.sub("_", put))
    return [plain, joined, put, re.sub(r" ?\. ?", ".", put)]


def _forms_of_number(phone: str, region: str) -> set[str]:
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return set()
    code, rest = str(number.country_code), phonenumbers.national_significant_number(number)
    forms = {f"{code}{rest}", f"00{code}{rest}", f"011{code}{rest}", f"{code}0{rest}"}
    if transcripts.region_of(phone) == region:
        # In their own country people leave the prefix out, or dial a digit in its place.
        forms |= {rest, f"0{rest}", f"8{rest}"}
    return forms


def _occurs(wanted: str, pieces: list[str]) -> bool:
    """Return whether adjacent pieces, put together, are the wanted text."""
    for start in range(len(pieces)):
        joined = ""
        for piece in pieces[start:]:
            joined += piece
            if joined == wanted:
                return True
            if not wanted.startswith(joined):
                break
    return False


def _words(text: str) -> list[str]:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return _WORD.findall("".join(character for character in apart if not unicodedata.combining(character)))


def _with_our_digits(text: str) -> str:
    return "".join(str(int(character)) if character.isdecimal() else character for character in text)


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
