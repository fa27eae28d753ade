"""One side of a GSS-API context of the system's MIT Kerberos, for tests.

usage: mitpeer.py initiate|accept krb5|spnego TARGET [flag,... [BINDINGS]]

Reads a command a line and answers with a line; octets are in hex, "-" is none:

    step TOKEN        -> ok TOKEN done|more
    info              -> ok initiator acceptor flags
    sign TEXT         -> ok MIC
    verify TEXT MIC   -> ok
    wrap 0|1 TEXT     -> ok TOKEN
    unwrap TOKEN      -> ok 0|1 TEXT
    onward TARGET     -> ok TOKEN: a first token for another service, made with
                         the delegated credential

An error is answered with: err TOKEN text
"""
import sys
import gssapi
from gssapi import raw

MECHS = {"krb5": "1.2.840.113554.1.2.2", "spnego": "1.3.6.1.5.5.2"}


def dec(text):
    return None if text == "-" else bytes.fromhex(text)


def enc(token):
    return token.hex() if token else "-"


def host_based(text):
    return gssapi.Name(text, gssapi.NameType.hostbased_service)


class Side:
    def __init__(self, role, mech, target, flags="", bindings="-"):
        self.ctx, self.flags, self.creds, self.delegated = None, 0, None, None
        self.role, self.target = role, host_based(target)
        self.mech = gssapi.OID.from_int_seq(MECHS[mech])
        self.wanted = [getattr(gssapi.RequirementFlag, f) for f in flags.split(",") if f]
        self.bindings = None
        if bindings != "-":
            self.bindings = raw.ChannelBindings(application_data=dec(bindings))
        if role == "accept":
            self.creds = raw.acquire_cred(None, usage=role, mechs=[self.mech]).creds

    def step(self, token):
        token = dec(token)
        if self.role == "initiate":
            r = raw.init_sec_context(self.target, self.creds, self.ctx, self.mech,
                                     self.wanted, None, self.bindings, token)
        else:
            r = raw.accept_sec_context(token, self.creds, self.ctx, self.bindings)
            self.delegated = r.delegated_creds or self.delegated
        self.ctx, self.flags = r.context, r.flags
        return "ok %s %s" % (enc(r.token), "more" if r.more_steps else "done")

    def info(self):
        r = raw.inquire_context(self.ctx)
        name = lambda n: raw.display_name(n).name.decode()
        return "ok %s %s %d" % (name(r.initiator_name), name(r.target_name), sum(int(f) for f in r.flags))

    def sign(self, text):
        return "ok " + enc(raw.get_mic(self.ctx, dec(text) or b""))

    def verify(self, text, mic):
        raw.verify_mic(self.ctx, dec(text) or b"", dec(mic))
        return "ok"

    def wrap(self, conf, text):
        return "ok " + enc(raw.wrap(self.ctx, dec(text) or b"", conf == "1").message)

    def unwrap(self, token):
        r = raw.unwrap(self.ctx, dec(token))
        return "ok %d %s" % (r.encrypted, enc(r.message))

    def onward(self, target):
        r = raw.init_sec_context(host_based(target), self.delegated, None, self.mech)
        return "ok " + enc(r.token)


side = Side(*sys.argv[1:])
for line in sys.stdin:
    command, *args = line.split()
    try:
        print(getattr(side, command)(*args), flush=True)
    except gssapi.exceptions.GSSError as e:
        print("err %s %s" % (enc(e.token), str(e).replace("\n", " ")), flush=True)
