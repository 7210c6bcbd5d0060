"""A guest's initial file system with other files in it: Linux unpacks archives that follow each other, the last one wins."""
import gzip
import pathlib


def archive(files):
    """A cpio archive ("newc") of files by name."""
    out = bytearray()
    for number, (name, text) in enumerate([*files.items(), ("TRAILER!!!", "")], 1):
        content = text.encode()
        fields = [number, 0o100755, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += content
        out += bytes(-len(out) % 4)
    return bytes(out)


def initrd_with(original, folder, files):
    """The path of a copy of this initrd that has these files, too."""
    path = pathlib.Path(folder) / "initrd-with.gz"
    path.write_bytes(pathlib.Path(original).read_bytes() + gzip.compress(archive(files)))
    return path
