# A KDC proxy over HTTPS: kdcproxy of FreeIPA, as a server of its own.
# Arguments: PORT CERT KEY. KDCPROXY_CONFIG names the KDCs.
import ssl
import sys
from wsgiref.simple_server import make_server

import kdcproxy

port, cert, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
server = make_server("127.0.0.1", port, kdcproxy.Application())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
