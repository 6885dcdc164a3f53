"""The vendor's public key, written here when the product is packaged.

Base64 of the 32 octets of an Ed25519 key. As long as it is empty, as in a checkout, ``BSS_LICENSE_PUBLIC_KEY`` or the
key beside an evaluation licence is taken; a packaged key cannot be overridden.
"""

PUBLIC_KEY = ""
