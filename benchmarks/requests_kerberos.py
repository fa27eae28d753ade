# GETs by requests-kerberos in one session. Arguments: the URL, "preemptive" or
# "challenge", and how many. Prints how many seconds they took.
import sys
import time

import requests
from requests_kerberos import DISABLED, HTTPKerberosAuth

url, mode, count = sys.argv[1:4]
session = requests.Session()
session.trust_env = False
session.auth = HTTPKerberosAuth(mutual_authentication=DISABLED, force_preemptive=mode == "preemptive")
session.get(url).raise_for_status()
start = time.perf_counter()
for _ in range(int(count)):
    session.get(url).raise_for_status()
print(time.perf_counter() - start)
