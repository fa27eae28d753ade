# A GET with HTTP Negotiate and channel bindings, over python3-gssapi: Debian's
# requests-kerberos and curl present none. Arguments: URL, certificate
# authority, bindings (hex; empty for none), "delegate" to hand over the
# credential. Prints the status, "mutual" if the server has proved itself and
# "one-sided" if not, and the body.
import base64
import http.client
import ssl
import sys
from urllib.parse import urlsplit

import gssapi
from gssapi.raw import ChannelBindings

url, ca, bindings, delegate = sys.argv[1:5]
parts = urlsplit(url)
name = gssapi.Name("HTTP@" + parts.hostname, gssapi.NameType.hostbased_service)
flags = gssapi.RequirementFlag.mutual_authentication
if delegate:
    flags |= gssapi.RequirementFlag.delegate_to_peer
context = gssapi.SecurityContext(
    name=name,
    usage="initiate",
    flags=flags,
    channel_bindings=ChannelBindings(application_data=bytes.fromhex(bindings)) if bindings else None,
)
token = context.step()
connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=ssl.create_default_context(cafile=ca))
target = parts.path or "/"
if parts.query:
    target += "?" + parts.query
connection.request("GET", target, headers={"Authorization": "Negotiate " + base64.b64encode(token).decode()})
response = connection.getresponse()
body = response.read().decode()
answer = response.headers.get("WWW-Authenticate", "").partition(" ")[2]
if response.status < 400 and answer:
    context.step(base64.b64decode(answer))
print(response.status)
print("mutual" if context.complete else "one-sided")
print(body, end="")
