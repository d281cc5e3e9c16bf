"""Which of the keys in a folder are this camera's, and whether they speak for it."""

from pathlib import Path

from preroll.keys import PUBLIC, Keys
from preroll.security.client_keys import ClientFiles
from preroll.security.permissions import SERVICES, SHARED, names_for, owner_of, why_refused


def load(folder: Path, camera_id: str) -> Keys:
    """The camera's own keys where the folder has them; else those in the folder `capture`. `KeysUnusable`."""
    own = [name for name in names_for(camera_id) if name not in {*SERVICES, PUBLIC} and (folder / name).is_dir()]
    return Keys.load(folder, own[0] if own else SHARED)


def why_foreign(keys: Keys, camera_id: str) -> str | None:
    """Why the recorder will refuse the camera's frames, as far as this machine's copy of `public` tells; else `None`."""
    clients = ClientFiles(keys.folder / PUBLIC).read()
    name = clients.by_key.get(keys.client.public.decode())
    if name is None or owner_of(camera_id, clients.names) == name:
        return None
    return why_refused(camera_id, name, clients.names, str(keys.folder))
