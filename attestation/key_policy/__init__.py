"""The linter of KMS keys: pure, measured; the enclave runs it over KMS's own answers before its first use of a key."""
