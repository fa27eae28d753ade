# Fills the directory of an interop Samba; see samba.go. Arguments: smb.conf.
# Standard input: JSON, a list of accounts.
import json
import sys

import ldb
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

AES = 24  # AES128 and AES256; else an account with an SPN has RC4 keys only
FLAGS = {"Trusted": 0x80000, "Sensitive": 0x100000, "AnyProtocol": 0x1000000}  # of userAccountControl
HASH_VALUES = "1.3.6.1.4.1.7165.4.3.9"  # DSDB_CONTROL_PASSWORD_HASH_VALUES_OID

params = LoadParm()
params.load(sys.argv[1])
directory = SamDB(lp=params, session_info=system_session())

directory.transaction_start()
for account in json.load(sys.stdin):
    name = account["Name"]
    directory.newuser(name, account["Password"])
    dn = directory.search(expression="(sAMAccountName=%s)" % name, attrs=[])[0].dn
    change = ldb.Message(dn)
    types = str(account["EncTypes"] or AES)
    change["types"] = ldb.MessageElement(types, ldb.FLAG_MOD_REPLACE, "msDS-SupportedEncryptionTypes")
    if account["UPN"]:
        change["upn"] = ldb.MessageElement(account["UPN"], ldb.FLAG_MOD_REPLACE, "userPrincipalName")
    if account["SPNs"]:
        change["names"] = ldb.MessageElement(account["SPNs"], ldb.FLAG_MOD_ADD, "servicePrincipalName")
    directory.modify(change)
    flags = sum(flag for option, flag in FLAGS.items() if account[option])
    if flags:
        found = directory.search(base=dn, attrs=["userAccountControl"])[0]
        change = ldb.Message(dn)
        control = str(int(str(found["userAccountControl"])) | flags)
        change["uac"] = ldb.MessageElement(control, ldb.FLAG_MOD_REPLACE, "userAccountControl")
        directory.modify(change)
    if account["DelegateTo"]:
        change = ldb.Message(dn)
        change["to"] = ldb.MessageElement(account["DelegateTo"], ldb.FLAG_MOD_REPLACE, "msDS-AllowedToDelegateTo")
        directory.modify(change)
    if account["RC4Only"]:
        # A hash in place of the password is the key of RC4, and there is no other.
        secret = Credentials()
        secret.set_password(account["Password"])
        change = ldb.Message(dn)
        change["hash"] = ldb.MessageElement(secret.get_nt_hash(), ldb.FLAG_MOD_REPLACE, "unicodePwd")
        directory.modify(change, controls=["local_oid:%s:0" % HASH_VALUES])
    for other in account["ActFor"] or []:
        sid = directory.search(expression="(sAMAccountName=%s)" % other, attrs=["objectSid"])[0]["objectSid"][0]
        sid = str(ndr_unpack(security.dom_sid, sid))
        descriptor = security.descriptor.from_sddl("O:BAD:(A;;0xf01ff;;;%s)" % sid, security.dom_sid(directory.get_domain_sid()))
        change = ldb.Message(dn)
        change["act"] = ldb.MessageElement(ndr_pack(descriptor), ldb.FLAG_MOD_REPLACE, "msDS-AllowedToActOnBehalfOfOtherIdentity")
        directory.modify(change)
    for i in range(account["Groups"]):
        group = "%s-group-%d" % (name, i)
        directory.newgroup(group)
        directory.add_remove_group_members(group, [name], add_members_operation=True)
directory.transaction_commit()
