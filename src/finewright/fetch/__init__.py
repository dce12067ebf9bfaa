"""Pinned packages from the registries, through their own clients, into a content-addressed cache."""
