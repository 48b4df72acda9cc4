"""Find a data set on this computer, or download it so that no reader ever meets half of one."""

import os
import tempfile
from pathlib import Path

from dctutor.datasets._catalog import DatasetUnavailableError, Entry
from dctutor.datasets._read import read
from dctutor.datasets._sources import FETCHERS, SOURCES


def data_folder(data_home: Path | None) -> Path:
    """`data_home`, else ``$DCTUTOR_DATA``, else the platform's cache folder."""
    if data_home is not None:
        return data_home.expanduser()
    if os.environ.get("DCTUTOR_DATA"):
        return Path(os.environ["DCTUTOR_DATA"]).expanduser()
    import pooch

    return Path(pooch.os_cache("dctutor"))


def missing_files(entry: Entry, home: Path) -> list[str]:
    """Files of `entry` that are not below `home`, relative to the set's folder."""
    return [file for file in entry.files if not (home / str(entry.folder) / file).is_file()]


def locate(entry: Entry, data_home: Path | None, download: bool) -> Path:
    """Return the folder that holds all files of `entry`, after downloading them if need be.

    Raises
    ------
    DatasetUnavailableError
        If files are missing and `download` is False or no address gave the data. Nothing is left behind.
    """
    home = data_folder(data_home)
    folder = home / str(entry.folder)
    missing = missing_files(entry, home)
    if not missing:
        return folder
    if not download:
        raise _unavailable(entry, folder, f"missing {', '.join(missing)}, and download=False")
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename on one file system.
        with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=home) as stage:
            _install(_download(entry, Path(stage)), folder, entry.files)
    except OSError as error:
        raise _unavailable(entry, folder, " ".join(str(error).split())) from error
    return folder


def _download(entry: Entry, stage: Path) -> Path:
    """Try each address in turn; return a folder inside `stage` with the checked files and nothing else."""
    failures = []
    for number, address in enumerate(SOURCES[entry.name]):
        attempt = stage / str(number)
        try:
            fetched = FETCHERS[entry.name](entry, address, attempt)
            for split in ("train", "test"):
                read(entry, fetched, split)
            return fetched
        except Exception as error:  # whatever network, archive, parser or disk did, the next address may work
            failures.append(f"{address} gave {type(error).__name__}: {error}")
    raise OSError("; ".join(failures))


def _install(ready: Path, folder: Path, files: tuple[str, ...]) -> None:
    """Move the checked set in place: as one folder, or file by file into a folder that lacks some."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        ready.rename(folder)
    except OSError:  # the folder exists: another process was faster, or the user's copy is incomplete
        for file in files:
            if not (folder / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (ready / file).replace(folder / file)


def _unavailable(entry: Entry, folder: Path, why: str) -> DatasetUnavailableError:
    if entry.files[0].endswith(".mat"):
        advice = (
            f"on another computer call load_dataset({entry.name!r}, data_home='some folder'), which fetches it from"
        )
        advice += f" {SOURCES[entry.name][0]} , and copy {entry.folder}/{entry.files[0]} into that folder."
    else:
        what = "the archive" if entry.name == "hapt" else ", ".join(f"{file}.gz" for file in entry.files)
        advice = f"on another computer fetch {what} from {SOURCES[entry.name][0]} , unpack, and copy"
        advice += f" {', '.join(entry.files)} into that folder."
    return DatasetUnavailableError(
        f"The data set {entry.name!r} is not available: {why}.\n"
        f"It was looked for in {folder}\n"
        f"Without a network: {advice} Or set the environment variable DCTUTOR_DATA to a "
        f"folder that holds {entry.folder} already."
    )
