"""Building enclave images: the developer's and the operator's tool, never in an image itself."""
