"""A dev KMS that verifies attestation documents and evaluates key policies for real."""
