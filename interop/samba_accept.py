# Has the domain controller of an interop Samba accept a token by Samba's own
# GENSEC; see samba.go. Arguments: smb.conf, the token in hexadecimal. Prints the
# client's account.
import sys

from samba import auth, gensec
from samba.credentials import Credentials
from samba.param import LoadParm

params = LoadParm()
params.load(sys.argv[1])
machine = Credentials()
machine.guess(params)
machine.set_machine_account(params)
server = gensec.Security.start_server(
    settings={"lp_ctx": params, "target_hostname": "dc1"}, auth_context=auth.AuthContext(lp_ctx=params))
server.set_credentials(machine)
server.start_mech_by_name("spnego")
done, _ = server.update(bytes.fromhex(sys.argv[2]))
if not done:
    sys.exit("the context needs another token")
print(server.session_info().info.account_name)
