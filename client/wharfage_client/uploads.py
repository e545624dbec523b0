"""Uploads: files that are announced to the API; `files.send` sends their bytes as well."""

from typing import Any, Protocol, cast

from wharfage_client.transport import Call, new_key
from wharfage_client.views import Upload


class _Asking(Protocol):
    """What a Client can do, as far as it is used here."""

    def ask(self, call: Call) -> Any: ...
    def get(self, path: str) -> Any: ...


class Uploads:
    """Files that jobs are to use."""

    def __init__(self, client: _Asking) -> None:
        self._client = client

    def create(
        self, size_bytes: int, sha256: str, *, name: str | None = None, key: str | None = None
    ) -> Upload:
        """Announce a file; the answer says where its bytes are to be sent."""
        body = {"size_bytes": size_bytes, "sha256": sha256} | ({"name": name} if name else {})
        call = Call(method="POST", path="/v1/uploads", body=body, key=key or new_key())
        return cast(Upload, self._client.ask(call))

    def get(self, upload_id: str) -> Upload:
        """Show a file that was announced, with a new link."""
        return cast(Upload, self._client.get(f"/v1/uploads/{upload_id}"))
