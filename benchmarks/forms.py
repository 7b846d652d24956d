"""Upload forms with generated wheels, small and large."""

import hashlib
import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BOUNDARY = "a-boundary-that-no-wheel-contains"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Release:
    """A wheel's name and version."""

    name: str
    version: str

    @property
    def filename(self) -> str:
        """Return the wheel's file name."""
        return f"{self.name}-{self.version}-py3-none-any.whl"

    def write(self, target: io.BytesIO | Path, payload: bytes, repeat: int = 1) -> None:
        """Write a valid wheel with an empty module and the payload, which is repeated."""
        info = f"{self.name}-{self.version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n"
        members = {
            f"{self.name}/__init__.py": b"",
            f"{info}/METADATA": metadata.encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        names = [*members, f"{self.name}/data.bin", f"{info}/RECORD"]
        with zipfile.ZipFile(target, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
            with archive.open(f"{self.name}/data.bin", "w") as data:
                for _ in range(repeat):
                    data.write(payload)
            archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))


def small_form(release: Release, payload: bytes) -> bytes:
    """Return the form that twine sends for a wheel with this payload."""
    wheel = io.BytesIO()
    release.write(wheel, payload)
    head, tail = _head_and_tail(release, _digests(wheel))
    return head + wheel.getvalue() + tail


def large_form(release: Release, path: Path, payload: bytes, repeat: int) -> None:
    """Write the form for a wheel that contains the payload repeatedly."""
    wheel = path.with_suffix(".whl")
    release.write(wheel, payload, repeat)
    with wheel.open("rb") as file, path.open("wb") as form:
        head, tail = _head_and_tail(release, _digests(file))
        form.write(head)
        file.seek(0)
        shutil.copyfileobj(file, form)
        form.write(tail)
    wheel.unlink()


def _digests(wheel: IO[bytes]) -> dict[str, str]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    blake2 = hashlib.blake2b(digest_size=32)
    wheel.seek(0)
    while chunk := wheel.read(_CHUNK):
        md5.update(chunk)
        sha256.update(chunk)
        blake2.update(chunk)
    return {
        "md5_digest": md5.hexdigest(),
        "sha256_digest": sha256.hexdigest(),
        "blake2_256_digest": blake2.hexdigest(),
    }


def _head_and_tail(release: Release, digests: dict[str, str]) -> tuple[bytes, bytes]:
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": release.name,
        "version": release.version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        **digests,
    }
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'Content-Disposition: form-data; name="content"; filename="{release.filename}"'
    head = f"{''.join(parts)}--{BOUNDARY}\r\n{file}\r\n\r\n"
    return head.encode(), f"\r\n--{BOUNDARY}--\r\n".encode()
