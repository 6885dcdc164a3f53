"""Tests of the project itself: servers, supervisor, commands, rules."""
