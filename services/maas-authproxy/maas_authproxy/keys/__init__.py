"""API keys: who the partner is (MX-06, MA-17).

A key is `<key_id>.<random>`; the config holds sha256(secret + key) alone, the environment the secret. Whatever is wrong
with a key, the work and the answer are the same. A partner may have several keys at once, each with its time, so that
a new one is in use before the old one ends.
"""
