#!/usr/bin/python3
"""Writes mit.json: messages, checksums and keys made by MIT krb5's libk5crypto.

Run it in this folder where libk5crypto.so.3 is installed: ./mit.py > mit.json
"""
import ctypes as c
import hashlib
import json

lib = c.CDLL("libk5crypto.so.3")


class Data(c.Structure):
    _fields_ = [("magic", c.c_int32), ("length", c.c_uint), ("data", c.c_void_p)]


class Keyblock(c.Structure):
    _fields_ = [("magic", c.c_int32), ("enctype", c.c_int32), ("length", c.c_uint), ("contents", c.c_void_p)]


class EncData(c.Structure):
    _fields_ = [("magic", c.c_int32), ("enctype", c.c_int32), ("kvno", c.c_uint), ("ciphertext", Data)]


class Checksum(c.Structure):
    _fields_ = [("magic", c.c_int32), ("type", c.c_int32), ("length", c.c_uint), ("contents", c.c_void_p)]


def data(b):
    buf = c.create_string_buffer(b, len(b) + 1)
    return Data(0, len(b), c.cast(buf, c.c_void_p)), buf


def call(name, *args):
    code = getattr(lib, name)(None, *args)
    if code != 0:
        raise SystemExit(f"{name}: error {code}")


def octets(label, n):
    return hashlib.shake_128(label.encode()).digest(n)


KEY_SIZE = {17: 16, 18: 32, 19: 16, 20: 32, 23: 16}
CHECKSUM = {17: 15, 18: 16, 19: 19, 20: 20, 23: -138}


def sealed(etype, usage, n):
    key, plain = octets(f"key {etype}", KEY_SIZE[etype]), octets("plain", n)
    kd, kbuf = data(key)
    block = Keyblock(0, etype, len(key), kd.data)
    pd, pbuf = data(plain)
    size = c.c_size_t()
    call("krb5_c_encrypt_length", c.c_int32(etype), c.c_size_t(n), c.byref(size))
    od, obuf = data(bytes(size.value))
    out = EncData(0, etype, 0, od)
    call("krb5_c_encrypt", c.byref(block), c.c_int32(usage), None, c.byref(pd), c.byref(out))
    total = Checksum()
    call("krb5_c_make_checksum", c.c_int32(CHECKSUM[etype]), c.byref(block), c.c_int32(usage), c.byref(pd), c.byref(total))
    return {
        "etype": etype, "usage": usage, "key": key.hex(), "plaintext": plain.hex(),
        "ciphertext": obuf.raw[:out.ciphertext.length].hex(),
        "checksum": c.string_at(total.contents, total.length).hex(),
    }


def derived(etype, password, salt, params):
    s, sbuf = data(password.encode())
    t, tbuf = data(salt.encode())
    p, pbuf = data(params)
    block = Keyblock()
    call("krb5_c_string_to_key_with_params", c.c_int32(etype), c.byref(s), c.byref(t),
         c.byref(p) if params else None, c.byref(block))
    return {
        "etype": etype, "password": password, "salt": salt, "params": params.hex(),
        "key": c.string_at(block.contents, block.length).hex(),
    }


messages = [sealed(e, u, n) for e in KEY_SIZE for u, n in
            [(1, 0), (2, 1), (3, 15), (7, 16), (8, 17), (9, 31), (11, 32), (12, 33), (22, 47), (23, 48), (24, 100), (25, 250)]]
LEAST = {17: 4096, 18: 4096, 19: 32768, 20: 32768}


def count(etype, more):
    return (LEAST[etype] + more).to_bytes(4, "big") if etype in LEAST else b""


keys = [derived(e, pw, salt, params) for e in KEY_SIZE for pw, salt, params in [
    ("password", "EXAMPLE.COMalice", b""),
    ("", "EXAMPLE.COMalice", count(e, 0)),
    ("Grüße, мир", "EXAMPLE.COMHTTPweb.example.com", count(e, 7)),
    ("long " * 40, "", count(e, 256)),
]]
print(json.dumps({"messages": messages, "keys": keys}, indent=1, ensure_ascii=False))
