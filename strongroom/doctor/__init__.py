"""Negative probes against a KMS: what it must refuse, asked of it. Unlike the linter, this sees KMS's own judgement."""
