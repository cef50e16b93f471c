"""Names of the facts about a mirror's server that its store keeps."""

from __future__ import annotations

BASE_URL = "base_url"
CAPABILITIES = "capabilities"
LEARNED_AT = "capabilities_learned_at"
STANDING = "where the last sync stopped"
