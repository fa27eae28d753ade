# Runs cases with Debian's requests-kerberos, for side_by_side_test.go. The
# argument is JSON, a list of cases; the output is JSON, what each came to.
import io
import json
import logging
import os
import sys
import warnings

import requests
from requests_kerberos import DISABLED, OPTIONAL, REQUIRED, HTTPKerberosAuth

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
MODES = {"required": REQUIRED, "optional": OPTIONAL, "disabled": DISABLED}


def body_of(case):
    body = case["Body"].encode()
    if not body:
        return None
    if case["BodyKind"] == "file":
        return io.BytesIO(body)
    if case["BodyKind"] == "stream":
        return (body[i : i + 1000] for i in range(0, len(body), 1000))
    return body


def run(case):
    os.environ["KRB5CCNAME"] = case["CCache"]
    session = requests.Session()
    session.trust_env = False
    auth = HTTPKerberosAuth(
        mutual_authentication=MODES[case["Mutual"]],
        service=case["Service"] or "HTTP",
        delegate=case["Delegate"],
        force_preemptive=case["Preemptive"],
        principal=case["Principal"] or None,
        hostname_override=case["Host"] or None,
        sanitize_mutual_error_response=not case["Keep"],
    )
    outcome = {"Status": 0, "User": "", "Body": "", "Error": "", "Sanitized": False}
    try:
        for _ in range(case["Times"]):
            r = session.request(
                case["Method"], case["URL"], data=body_of(case), auth=auth, verify=case["CA"], timeout=30
            )
        outcome["Status"] = r.status_code
        outcome["User"] = r.headers.get("X-Remote-User", "")
        outcome["Body"] = r.text
        outcome["Sanitized"] = type(r).__name__ == "SanitizedResponse"
        outcome["Delegated"] = "X-Delegated-Ccache" in r.headers
    except Exception as e:
        outcome["Error"] = type(e).__name__
    outcome["Cookies"] = len(session.cookies)
    return outcome


print(json.dumps([run(case) for case in json.loads(sys.argv[1])]))
