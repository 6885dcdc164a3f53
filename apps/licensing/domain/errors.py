"""Why the product may not run: one class, one message and one exit code for each cause."""

from __future__ import annotations

from typing import ClassVar

from apps.kernel.errors import BssError


class LicenceError(BssError):
    """The product, or a module of it, may not run. ``exit_code`` is that of the command that says so."""

    exit_code: ClassVar[int] = 20
    code = "licence"


class LicenceMissing(LicenceError):
    """There is no licence file, or it cannot be read."""

    exit_code = 20
    code = "licence_missing"


class NotBase64(LicenceError):
    """The file is not Base64."""

    exit_code = 21
    code = "licence_not_base64"


class WrongLength(LicenceError):
    """The file does not hold 181 octets."""

    exit_code = 22
    code = "licence_length"


class WrongMagic(LicenceError):
    """The file is not a licence."""

    exit_code = 23
    code = "licence_magic"


class WrongVersion(LicenceError):
    """The licence is of a version that this release does not read."""

    exit_code = 24
    code = "licence_version"


class WrongSignature(LicenceError):
    """The vendor has not signed it: forged, edited or damaged."""

    exit_code = 25
    code = "licence_signature"


class OtherMachine(LicenceError):
    """The licence is for another machine."""

    exit_code = 26
    code = "licence_machine"


class Expired(LicenceError):
    """The day on which the licence ends has begun (UTC)."""

    exit_code = 27
    code = "licence_expired"


class ClockRolledBack(LicenceError):
    """The machine's clock is behind a time that the product has seen."""

    exit_code = 28
    code = "licence_clock"


class StateTampered(LicenceError):
    """The file with the last known good time was edited, or copied from another machine."""

    exit_code = 29
    code = "licence_state_tampered"


class StateLost(LicenceError):
    """The file with the last known good time is gone."""

    exit_code = 30
    code = "licence_state_lost"


class NotLicensed(LicenceError):
    """The licence is good, and does not include this module."""

    exit_code = 31
    code = "licence_feature"


class NoPublicKey(LicenceError):
    """It is not known by whose key licences are verified."""

    exit_code = 32
    code = "licence_public_key"


class NoMachineId(LicenceError):
    """The machine has no id to which a licence could be bound."""

    exit_code = 33
    code = "licence_machine_id"
