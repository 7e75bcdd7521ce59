"""Refusals as the Open Inference Protocol words them: a sentence, and the HTTP status."""

from strongroom.surfaces.http import Reply, json_reply
from strongroom.surfaces.refusals import Refused


def reply(refused: Refused) -> Reply:
    """The whole reply; the code comes first in the sentence, for there is no other place for it."""
    return json_reply({"error": f"{refused.code}: {refused.message}"}, refused.status, refused.headers)
