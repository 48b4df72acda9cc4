"""Find a data set on this computer, or download it so that no reader ever meets half of one."""

import contextlib
import os
import platform
import re
import shutil
import tempfile
import time
from pathlib import Path

from dctutor.datasets import _sources
from dctutor.datasets._catalog import ENTRIES, DatasetUnavailableError, Entry
from dctutor.datasets._read import read
from dctutor.datasets._sources import FETCHERS, SOURCES

# A folder that a download works in: the set, the process and the computer it belongs to.
_STAGE = re.compile(rf"\.({'|'.join(ENTRIES)})-(\d+)@(.*)-\w+")
_HOST = re.sub(r"[^\w.-]", "_", platform.node())
_DAY = 86_400.0  # seconds; no download lasts so long


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
        _remove_abandoned(home)
        # Beside the target, so that the last step is a rename on one file system.
        prefix = f".{entry.name}-{os.getpid()}@{_HOST}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=home, ignore_cleanup_errors=True) as stage:
            _install(_download(entry, Path(stage)), folder, entry.files)
    except OSError as error:
        raise _unavailable(entry, folder, " ".join(str(error).split())) from error
    return folder


def _remove_abandoned(home: Path) -> None:
    """Remove what downloads that were killed have left in `home`, but nothing of one that may still run."""
    for path in home.glob(".*-*@*-*"):
        stage = _STAGE.fullmatch(path.name)
        if stage is None:
            continue
        with contextlib.suppress(OSError):  # another process may be faster
            dead = stage[3] == _HOST and not _runs(int(stage[2]))
            if dead or time.time() - path.stat().st_mtime > _DAY:
                shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    if os.name == "nt":  # os.kill would end the process; the age of the folder has to do
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs, as another user's
        pass
    return True


def _download(entry: Entry, stage: Path) -> Path:
    """Try each address in turn; return a folder inside `stage` with the checked files and nothing else."""
    failures = []
    for number, address in enumerate(SOURCES[entry.name]):
        attempt = stage / str(number)
        try:
            fetched = FETCHERS[entry.name](entry, address, attempt, time.monotonic() + _sources.DEADLINE)
            for split in ("train", "test"):
                n_rows, known = len(read(entry, fetched, split)[1]), dict(entry.sizes).get(split)
                if known is not None and n_rows != known:
                    raise OSError(f"expected {known} rows in the split {split!r}, got {n_rows}")
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
