# Tells the directory of an interop Samba that a realm trusts it; see samba.go.
# Arguments: smb.conf, the realm. Standard input: the password of the trust.
import sys
import time

from samba import unix2nttime
from samba.auth import system_session
from samba.dcerpc import drsblobs, lsa, security
from samba.ndr import ndr_pack
from samba.param import LoadParm
from samba.samdb import SamDB

AES = 24  # AES128 and AES256


def information(kind, value):
    info = drsblobs.AuthenticationInformation()
    info.LastUpdateTime = unix2nttime(int(time.time()))
    info.AuthType = kind
    info.AuthInfo = value
    return info


def secret(password):
    clear = drsblobs.AuthInfoClear()
    clear.size = len(password)
    clear.password = list(password)
    version = drsblobs.AuthInfoVersion()
    version.version = 1  # as kadmin counts; else Samba names version 0
    infos = [
        information(lsa.TRUST_AUTH_TYPE_CLEAR, clear),
        information(lsa.TRUST_AUTH_TYPE_VERSION, version),
    ]
    current = drsblobs.AuthenticationInformationArray()
    current.count = len(infos)
    current.array = infos
    blob = drsblobs.trustAuthInOutBlob()
    blob.count = len(infos)
    blob.current = current
    return ndr_pack(blob)


params = LoadParm()
params.load(sys.argv[1])
realm = sys.argv[2]
directory = SamDB(lp=params, session_info=system_session())
directory.add({
    "dn": "CN=%s,CN=System,%s" % (realm.lower(), directory.domain_dn()),
    "objectClass": "trustedDomain",
    "trustPartner": realm.lower(),
    "flatName": realm.split(".")[0],
    # No domain has this one, but without any Samba reads no trust at all.
    "securityIdentifier": ndr_pack(security.dom_sid("S-1-5-21-1-2-3")),
    # Samba uses no trust of the type that Windows has for a realm of MIT's. One
    # of a forest holds for all hosts below the name.
    "trustType": str(lsa.LSA_TRUST_TYPE_UPLEVEL),
    "trustAttributes": str(lsa.LSA_TRUST_ATTRIBUTE_FOREST_TRANSITIVE),
    "trustDirection": str(lsa.LSA_TRUST_DIRECTION_INBOUND),
    "trustAuthIncoming": secret(sys.stdin.read().encode("utf-16-le")),
    "msDS-SupportedEncryptionTypes": str(AES),
})
