"""Secrets at rest."""

import base64

import pytest

from channels_app.models import PhoneNumber
from config.lib import crypto
from config.lib.crypto import DecryptionError, decrypt, encrypt
from tests.factories import PhoneNumberFactory

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


class TestEncrypt:
    @pytest.mark.parametrize("secret", ["token", "", "tökén 🙂", "x" * 10_000])
    def test_is_undone_by_decrypt(self, secret):
        assert decrypt(encrypt(secret, context="row 1"), context="row 1") == secret

    def test_hides_the_secret_and_looks_different_each_time(self):
        tokens = {encrypt("graph-token", context="row 1") for _ in range(20)}

        assert len(tokens) == 20
        assert not any("graph-token" in token for token in tokens)

    def test_uses_the_newest_key(self, settings):
        settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
        token = encrypt("token", context="row 1")

        settings.FIELD_ENCRYPTION_KEYS = [NEW]

        assert decrypt(token, context="row 1") == "token"


class TestDecrypt:
    def test_refuses_what_was_copied_from_another_row(self):
        with pytest.raises(DecryptionError):
            decrypt(encrypt("token", context="row 1"), context="row 2")

    def test_reads_what_an_older_key_wrote(self, settings):
        settings.FIELD_ENCRYPTION_KEYS = [OLD]
        token = encrypt("token", context="row 1")

        settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

        assert decrypt(token, context="row 1") == "token"

    def test_refuses_what_a_key_wrote_that_is_gone(self, settings):
        settings.FIELD_ENCRYPTION_KEYS = [OLD]
        token = encrypt("token", context="row 1")

        settings.FIELD_ENCRYPTION_KEYS = [NEW]

        with pytest.raises(DecryptionError):
            decrypt(token, context="row 1")

    def test_refuses_what_was_changed_in_any_byte(self):
        head, sealed = encrypt("token", context="row 1").rsplit(".", 1)
        raw = base64.urlsafe_b64decode(sealed)

        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with pytest.raises(DecryptionError):
                decrypt(f"{head}.{base64.urlsafe_b64encode(changed).decode()}", context="row 1")

    @pytest.mark.parametrize("token", ["", "token", "v1", "v1.", "v2.00000000.AAAA", "v1.00000000.AAAA"])
    def test_refuses_what_is_no_token(self, token):
        with pytest.raises(DecryptionError):
            decrypt(token, context="row 1")

    def test_refuses_what_was_cut_off(self):
        token = encrypt("token", context="row 1")

        for length in range(len(token)):
            with pytest.raises(DecryptionError):
                decrypt(token[:length], context="row 1")

    def test_says_nothing_of_the_secret(self):
        with pytest.raises(DecryptionError) as caught:
            decrypt(encrypt("graph-token", context="row 1"), context="row 2")

        assert "graph-token" not in repr(caught.value)


class TestAccessToken:
    def test_is_kept_encrypted(self, db):
        number = PhoneNumberFactory(token="graph-token")

        kept = PhoneNumber.objects.get()

        assert "graph-token" not in kept.access_token
        assert kept.get_access_token() == "graph-token"
        assert crypto.decrypt(
            kept.access_token, context=f"phone_numbers:access_token:{number.phone_number_id}"
        )

    def test_does_not_work_on_another_number(self, db):
        number, other = PhoneNumberFactory(), PhoneNumberFactory()
        other.access_token = number.access_token

        with pytest.raises(DecryptionError):
            other.get_access_token()
