"""Constrained types that several formats share: identifiers, digests, bounded integers."""

from typing import Annotated

from msgspec import Meta

Identifier = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
"""A model id, key id, deployment id or file name: lower case, no separators, at most 64 characters."""

SHA256Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
SHA384Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{96}\Z")]
ShortText = Annotated[str, Meta(max_length=256)]
KeyARN = Annotated[str, Meta(pattern=r"^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]{1,32}:[0-9]{12}:key/[A-Za-z0-9-]{1,64}\Z")]
"""A full KMS key ARN; aliases are refused, since an alias can be pointed elsewhere."""
