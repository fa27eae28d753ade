# Security contexts by libgssapi, over python3-gssapi. Arguments: the service and
# how many. Prints the nanoseconds that one takes to make the initial token, to
# accept it with a reply, and to verify that.
import sys
import time

import gssapi

service, count = sys.argv[1], int(sys.argv[2])
name = gssapi.Name(service, gssapi.NameType.hostbased_service)
spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
client = gssapi.Credentials(usage="initiate")
server = gssapi.Credentials(usage="accept")
flags = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.integrity
spent = [0, 0, 0]


def measure(which, step):
    start = time.perf_counter_ns()
    result = step()
    spent[which] += time.perf_counter_ns() - start
    return result


def exchange():
    initiator = gssapi.SecurityContext(name=name, creds=client, usage="initiate", mech=spnego, flags=flags)
    acceptor = gssapi.SecurityContext(creds=server, usage="accept")
    token = measure(0, lambda: initiator.step())
    reply = measure(1, lambda: acceptor.step(token))
    measure(2, lambda: initiator.step(reply))
    assert initiator.complete and acceptor.complete


exchange()  # fetches the ticket
spent = [0, 0, 0]
for _ in range(count):
    exchange()
print(*(s / count for s in spent))
