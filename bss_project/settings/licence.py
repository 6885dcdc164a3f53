"""The licence: its file, the last known good time, and the vendor's key (README of apps/licensing)."""

from bss_project.settings import environment as env
from bss_project.settings.files import VAR_DIR

LICENSE_FILE = env.folder("BSS_LICENSE_FILE", str(VAR_DIR / "license" / "platform.lic"))
# Where the greatest time that was seen is kept; the product writes it, also where the licence file is read-only.
LICENSE_STATE = env.folder("BSS_LICENSE_STATE", str(VAR_DIR / "license" / ".lkgt"))
# Base64 of an Ed25519 public key. A packaged product has its vendor's key in it and does not look here.
LICENSE_PUBLIC_KEY = env.text("BSS_LICENSE_PUBLIC_KEY")
# How far the clock may go back without being taken for turned back, seconds.
LICENSE_CLOCK_TOLERANCE_S = env.integer("BSS_LICENSE_CLOCK_TOLERANCE_S", 3600)
# How often a running process reads its licence again, seconds; SIGHUP makes it do so at once.
LICENSE_LOOK_AGAIN_S = env.integer("BSS_LICENSE_LOOK_AGAIN_S", 60)
