# Fills the directory of an interop Samba; see samba.go. Arguments: smb.conf.
# Standard input: JSON, a list of accounts.
import json
import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

AES = "24"  # AES128 and AES256; else an account with an SPN has RC4 keys only

params = LoadParm()
params.load(sys.argv[1])
directory = SamDB(lp=params, session_info=system_session())

for account in json.load(sys.stdin):
    name = account["Name"]
    directory.newuser(name, account["Password"])
    dn = directory.search(expression="(sAMAccountName=%s)" % name, attrs=[])[0].dn
    change = ldb.Message(dn)
    change["types"] = ldb.MessageElement(AES, ldb.FLAG_MOD_REPLACE, "msDS-SupportedEncryptionTypes")
    if account["SPNs"]:
        change["names"] = ldb.MessageElement(account["SPNs"], ldb.FLAG_MOD_ADD, "servicePrincipalName")
    directory.modify(change)
    for i in range(account["Groups"]):
        group = "%s-group-%d" % (name, i)
        directory.newgroup(group)
        directory.add_remove_group_members(group, [name], add_members_operation=True)
