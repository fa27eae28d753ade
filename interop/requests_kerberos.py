import os
import sys

import requests
from requests_kerberos import DISABLED, OPTIONAL, REQUIRED, HTTPKerberosAuth

url, mutual, ca = sys.argv[1:4]
auth = HTTPKerberosAuth(
    mutual_authentication={"required": REQUIRED, "optional": OPTIONAL, "disabled": DISABLED}[mutual],
    sanitize_mutual_error_response=False,
)
response = requests.get(url, auth=auth, verify=ca if os.path.exists(ca) else True, timeout=30)
print(response.status_code)
print(response.headers.get("X-Remote-User", ""))
print(response.text)
