# An HTTPS server that accepts Kerberos contexts with the channel bindings of
# its own certificate, which mod_auth_gssapi 1.6 does not; see acceptor.go.
# Arguments: port, certificate, key, keytab, bindings (hex).
import base64
import http.server
import ssl
import sys

import gssapi
from gssapi.raw import ChannelBindings

CHANNEL_BOUND = 1 << 11  # GSS_C_CHANNEL_BOUND_FLAG, newer than the module

port, cert, key, keytab, bindings = sys.argv[1:6]
bindings = ChannelBindings(application_data=bytes.fromhex(bindings))
credentials = gssapi.Credentials(usage="accept", store={"keytab": keytab})


# Else step() returns the error token and raises later.
gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text, token=None):
        self.send_response(status)
        if status == 401 or token:
            value = "Negotiate"
            if token:
                value += " " + base64.b64encode(token).decode()
            self.send_header("WWW-Authenticate", value)
        body = (text + "\n").encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "negotiate":
            return self.answer(401, "no token")
        context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)
        try:
            token = context.step(base64.b64decode(token))
        except gssapi.exceptions.BadChannelBindingsError as e:
            return self.answer(401, "other bindings", e.token)
        except gssapi.exceptions.GSSError as e:
            return self.answer(401, "refused: " + type(e).__name__, e.token)
        bound = "bound" if int(context.actual_flags) & CHANNEL_BOUND else "unbound"
        self.answer(200, "%s %s" % (context.initiator_name, bound), token)

    def log_message(self, format, *args):
        sys.stderr.write("%s\n" % (format % args))


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(cert, key)
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
