"""The rooms of the house. Modules of the hot paths are taken in compiled form where there is one (apps/native)."""

from apps.native.finder import install

install()
