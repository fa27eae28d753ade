# Writes a 64-bit Windows DLL that has no code: each of its exports forwards to
# one of another DLL. Wine 8 lacks bcryptprimitives.dll, from which programs of Go
# take their random numbers; see peers.sh.
#
#   forwarder.py FILE NAME=MODULE.FUNCTION...
import os
import struct
import sys

BASE, SECTION, FILE_ALIGN = 0x180000000, 0x1000, 0x200
EXPORTS, RELOCATIONS = SECTION, 2 * SECTION  # where the two sections are loaded


def pad(data):
    return data + b"\0" * (-len(data) % FILE_ALIGN)


def export_section(dll, exports):
    """The export directory. An address within the section is a forwarder's text."""
    exports = sorted(exports)  # Windows searches the names in halves
    count = len(exports)
    functions = EXPORTS + 40
    names = functions + 4 * count
    ordinals = names + 4 * count
    texts = ordinals + 2 * count
    blob, at = b"", {}
    for text in [dll] + [part for export in exports for part in export]:
        at[text] = texts + len(blob)
        blob += text.encode() + b"\0"
    return (
        struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, at[dll], 1, count, count, functions, names, ordinals)
        + b"".join(struct.pack("<I", at[target]) for _, target in exports)
        + b"".join(struct.pack("<I", at[name]) for name, _ in exports)
        + b"".join(struct.pack("<H", i) for i in range(count))
        + blob
    )


def image(dll, exports):
    edata = export_section(dll, exports)
    reloc = struct.pack("<IIHH", EXPORTS, 12, 0, 0)  # nothing in it, so it may go anywhere
    directories = [(0, 0)] * 16
    directories[0] = (EXPORTS, len(edata))
    directories[5] = (RELOCATIONS, len(reloc))
    raw = pad(edata)
    header = b"MZ" + b"\0" * 58 + struct.pack("<I", 64)
    header += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 2, 0, 0, 0, 240, 0x2022)  # a DLL
    header += struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 0, 0, len(raw) + FILE_ALIGN, 0, 0, SECTION,
        BASE, SECTION, FILE_ALIGN, 6, 0, 0, 0, 6, 0, 0, 3 * SECTION, FILE_ALIGN, 0, 3, 0x160,
        1 << 20, SECTION, 1 << 20, SECTION, 0, 16)
    header += b"".join(struct.pack("<II", *d) for d in directories)
    for name, data, address, offset, kind in [
        (b".edata", edata, EXPORTS, FILE_ALIGN, 0x40000040),
        (b".reloc", reloc, RELOCATIONS, FILE_ALIGN + len(raw), 0x42000040),
    ]:
        header += struct.pack("<8sIIIIIIHHI", name, len(data), address, len(pad(data)), offset, 0, 0, 0, 0, kind)
    return pad(header) + raw + pad(reloc)


path, *pairs = sys.argv[1:]
with open(path, "wb") as f:
    f.write(image(os.path.basename(path), [tuple(pair.split("=")) for pair in pairs]))
