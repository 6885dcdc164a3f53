"""The rooms of the house. Hot modules are imported in compiled form if there is one (apps/runtime/native)."""

from apps.runtime.native.finder import install

install()
