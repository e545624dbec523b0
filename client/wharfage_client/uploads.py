"""Uploads: files that are announced to the API; `files.send` sends their bytes as well."""

from typing import cast

from wharfage_client.groups import Group, new_key, post
from wharfage_client.views import Upload


class Uploads(Group):
    """Files that jobs are to use."""

    def create(
        self, size_bytes: int, sha256: str, *, name: str | None = None, key: str | None = None
    ) -> Upload:
        """Announce a file; the answer says where its bytes are to be sent."""
        body = {"size_bytes": size_bytes, "sha256": sha256} | ({"name": name} if name else {})
        return cast(Upload, self._client.ask(post("/v1/uploads", body, key=key or new_key())))

    def get(self, upload_id: str) -> Upload:
        """Show a file that was announced, with a new link."""
        return cast(Upload, self._client.get(f"/v1/uploads/{upload_id}"))
