"""A boto3 client for KMS that takes nothing from the environment, from files or from the instance metadata service."""

import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver
from botocore.loaders import Loader

ATTEMPTS = 3
"""In botocore's standard mode. It waits for at most 50 and 100 ms between them, 1 and 2 s when KMS says that it is
throttling, 5 s more each time when KMS asks for that; ProxiedHTTPS adds its own pause."""


def kms_host(region: str, *, fips: bool) -> str:
    """KMS's host of a region: it follows from the measured ARN and switch, and is not a setting (docs/adr/0007)."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{'kms-fips' if fips else 'kms'}.{region}.{suffix}"


def isolated_client(provider: CredentialProvider, region: str, host: str) -> Any:
    """A boto3 KMS client for that host, with botocore's standard retries and `provider`'s credentials alone."""
    config = Config(signature_version="v4", retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return _isolated_session(provider, region).client("kms", config=config, endpoint_url=f"https://{host}")


def _isolated_session(provider: CredentialProvider, region: str) -> boto3.Session:
    known = botocore.session.Session.SESSION_VARIABLES
    # (name in files, name in the environment, default, conversion): the first two go.
    bare = {name: (None, None, default, convert) for name, (_, _, default, convert) in known.items()}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars={**bare, **files})
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    core.register_component("credential_provider", CredentialResolver([provider]))
    # The default loader would prefer models below ~/.aws to its own.
    core.register_component("data_loader", Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False))
    return boto3.Session(botocore_session=core, region_name=region)
