"""One side of a GSS-API context of the system's MIT Kerberos, for tests.

usage: mitpeer.py initiate|accept krb5|spnego [flag,...]

Reads a command a line and answers with a line, tokens in hex and "-" for none:

    step TOKEN          -> ok TOKEN done|more, or err TOKEN text
    sign TEXT           -> ok MIC
    verify TEXT MIC     -> ok, or err - text
    info                -> ok initiator acceptor mechanism flags
"""
import sys
import gssapi
from gssapi import raw

KRB5 = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")


def dec(text):
    return None if text == "-" else bytes.fromhex(text)


def enc(token):
    return token.hex() if token else "-"


class Side:
    def __init__(self, role, mech, flags=""):
        self.ctx, self.flags = None, 0
        self.role = role
        self.mech = {"krb5": KRB5, "spnego": SPNEGO}[mech]
        self.wanted = [getattr(gssapi.RequirementFlag, f) for f in flags.split(",") if f]
        self.target = gssapi.Name("HTTP@localhost", gssapi.NameType.hostbased_service)
        self.creds = None
        if role == "accept":
            self.creds = raw.acquire_cred(None, usage=role, mechs=[self.mech]).creds

    def step(self, token):
        token = dec(token)
        if self.role == "initiate":
            r = raw.init_sec_context(self.target, self.creds, self.ctx, self.mech,
                                     self.wanted, None, None, token)
        else:
            r = raw.accept_sec_context(token, self.creds, self.ctx)
        self.ctx, self.flags = r.context, r.flags
        return "ok %s %s" % (enc(r.token), "more" if r.more_steps else "done")

    def sign(self, text):
        return "ok " + enc(raw.get_mic(self.ctx, dec(text)))

    def verify(self, text, mic):
        raw.verify_mic(self.ctx, dec(text), dec(mic))
        return "ok"

    def info(self):
        r = raw.inquire_context(self.ctx)
        name = lambda n: raw.display_name(n).name.decode()
        return "ok %s %s %s %d" % (name(r.initiator_name), name(r.target_name),
                                   r.mech.dotted_form, sum(int(f) for f in r.flags))


side = Side(*sys.argv[1:])
for line in sys.stdin:
    command, *args = line.split()
    try:
        print(getattr(side, command)(*args), flush=True)
    except gssapi.exceptions.GSSError as e:
        print("err %s %s" % (enc(e.token), str(e).replace("\n", " ")), flush=True)
