package main

// row is a piece of work with its bars.
type row struct {
	work  string
	bars  []bar
	peers []peer
	// why tells what stands in the way if a bar is missed.
	why string
}

// bar is a bound on a figure.
type bar struct {
	text  string
	value func(*results) float64
	unit  unit
	limit float64
	least bool // the limit is a lower one
}

func (b bar) met(v float64) bool {
	if b.least {
		return v >= b.limit
	}
	return v <= b.limit
}

// peer is another's figure for the same work.
type peer struct{ name, key string }

func med(key string) func(*results) float64 {
	return func(r *results) float64 { return r.median(key) }
}

func over(a, b string) func(*results) float64 {
	return func(r *results) float64 { return r.ratio(a, b) }
}

const apacheParts = "two plain requests plus one accept"

// derive adds what is computed from several figures.
func derive(r *results) {
	// A plain request and one with a token are two plain ones and one accept.
	r.sum(apacheParts, "ApacheInTurn/all ns/plain", "ApacheInTurn/all ns/header")
}

// rows are the bars of the project.
var rows = []row{
	{
		work: "Initial token, SPNEGO with krb5 in base64, ticket cached",
		bars: []bar{
			{"≤ 5 µs", med("Initiate/negotiate-mutual ns/op"), nanoseconds, 5000, false},
			{"≤ 12 allocations", med("Initiate/negotiate-mutual allocs/op"), count, 12, false},
			{"≤ 2.5 × the arithmetic floor", over("Initiate/negotiate-mutual ns/op", "Floor ns/op"), times, 2.5, false},
		},
		peers: []peer{{"floor", "Floor ns/op"}, {"gokrb5", "Initiate/gokrb5 ns/op"}, {"gokrb5", "Initiate/gokrb5 allocs/op"}, {"libgssapi", "Libgssapi/all ns/initiate"}},
	},
	{
		work: "Accept a token of a known ticket, with AP-REP",
		bars: []bar{
			{"≤ 12 µs", med("Accept/negotiate-mutual ns/op"), nanoseconds, 12000, false},
			{"≤ 30 allocations", med("Accept/negotiate-mutual allocs/op"), count, 30, false},
		},
		peers: []peer{{"gokrb5, which makes no AP-REP", "Accept/gokrb5 ns/op"}, {"gokrb5", "Accept/gokrb5 allocs/op"}, {"ours without AP-REP", "Accept/negotiate-one-sided ns/op"}, {"libgssapi", "Libgssapi/all ns/accept"}},
	},
	{
		work: "Accept a client's first token, with AP-REP",
		why:  "Two keys are derived from the session key, each with its schedule for AES and its two states for HMAC.",
		bars: []bar{
			{"≤ 12 µs", med("Accept/negotiate-new ns/op"), nanoseconds, 12000, false},
			{"≤ 30 allocations", med("Accept/negotiate-new allocs/op"), count, 30, false},
		},
	},
	{
		work:  "Verify the AP-REP",
		bars:  []bar{{"≤ 3 µs", med("Verify/negotiate ns/op"), nanoseconds, 3000, false}},
		peers: []peer{{"libgssapi", "Libgssapi/all ns/verify"}},
	},
	{
		work:  "Opportunistic GET, Transport to Handler, loopback, connection kept",
		bars:  []bar{{"≤ 1.25 × the GET without authentication", over("LoopbackInTurn/all ns/negotiate", "LoopbackInTurn/all ns/plain"), times, 1.25, false}},
		peers: []peer{{"plain", "Loopback/plain ns/op"}, {"plain, a header as long as the token's", "Loopback/header ns/op"}, {"ours", "Loopback/negotiate ns/op"}, {"ours, mutual", "Loopback/negotiate-mutual ns/op"}, {"ours, challenged", "Loopback/negotiate-challenge ns/op"}, {"gokrb5's pair", "Loopback/gokrb5 ns/op"}},
		why: "The plain GET takes so little that what is left for authentication is less than what making and accepting a token take by themselves, " +
			"see the first rows; and the header makes the request ten times as long, which net/http reads, writes and keeps. The profile below shows the parts.",
	},
	{
		work: "Opportunistic GET to Apache",
		bars: []bar{
			{"≤ 1.03 × Apache's own time, by wrk with a fixed header", over("Apache/negotiate ns/op", "Apache/wrk-header ns/op"), times, 1.03, false},
			{"the same, by net/http with a fixed header", over("ApacheInTurn/all ns/negotiate", "ApacheInTurn/all ns/header"), times, 1.03, false},
		},
		peers: []peer{{"wrk", "Apache/wrk-header ns/op"}, {"net/http", "Apache/header ns/op"}, {"net/http, a token made for each", "ApacheInTurn/all ns/token"}, {"ours", "Apache/negotiate ns/op"}, {"ours, mutual", "Apache/negotiate-mutual ns/op"}, {"gokrb5", "Apache/gokrb5 ns/op"}, {"requests-kerberos", "Apache/requests-kerberos ns/op"}},
		why: "net/http takes longer for a request than wrk by far more than 3 %, without any authentication: compare wrk and net/http at the right. " +
			"It wakes two goroutines for each response, wrk none. What ours adds to net/http's time is the second line: most of it is making the token, which takes several times as long when the processor has waited for Apache as it does in a loop, and a look at the credential cache's file.",
	},
	{
		work: "Challenge path to Apache: two round trips, one connection",
		why:  "The first response is Apache's page about the 401, which is longer than the plain one, and is read to its end to keep the connection.",
		bars: []bar{
			{"≤ 1.1 × two plain requests and one accept", over("ApacheInTurn/all ns/challenge", apacheParts), times, 1.1, false},
		},
		peers: []peer{{"the parts", apacheParts}, {"ours", "ApacheInTurn/all ns/challenge"}, {"gokrb5", "Apache/gokrb5-challenge ns/op"}, {"requests-kerberos", "Apache/requests-kerberos-challenge ns/op"}},
	},
	{
		work:  "100 goroutines, one service, no ticket yet",
		bars:  []bar{{"1 TGS-REQ", med("Cold/negotiate TGS-REQ/op"), count, 1, false}},
		peers: []peer{{"gokrb5", "Cold/gokrb5 TGS-REQ/op"}, {"go-spnego", "Cold/go-spnego TGS-REQ/op"}},
	},
	{
		work: "10 000 hosts seen by one Transport",
		bars: []bar{
			{"≤ 2 kB a host, beside its ticket", med("Hosts/memory/10000 B/host"), bytesUnit, 2000, false},
			{"a token takes ≤ 2 × that of one host", over("Hosts/token/10000 ns/op", "Hosts/token/1 ns/op"), times, 2, false},
		},
		peers: []peer{{"a ticket", "Hosts/memory/10000 B/ticket"}},
		why:   "Beyond the processor's caches each ticket, its keys and its place in the map come from memory.",
	},
	{
		work: "`negotiate get`, the whole process",
		why:  "The runtime starts, and reads krb5.conf, the credential cache and the command's own tables.",
		bars: []bar{
			{"≤ curl --negotiate's time", over("Command/negotiate ns/op", "Command/curl ns/op"), times, 1, false},
			{"≤ 20 MiB", med("Command/negotiate MiB"), mebibytes, 20, false},
		},
		peers: []peer{{"ours", "Command/negotiate ns/op"}, {"curl", "Command/curl ns/op"}, {"curl", "Command/curl MiB"}},
	},
	{
		work:  "`krbtest.NewKDC`",
		bars:  []bar{{"≤ 2 ms", med("NewKDC/start ns/op"), nanoseconds, 2e6, false}},
		peers: []peer{{"with a user, a service, their files and the end", "NewKDC/whole ns/op"}},
	},
	{
		work:  "Logins and service tickets a second, the same client",
		bars:  []bar{{"≥ krb5kdc's", over("KDC/krbtest logins+tickets/s", "KDC/krb5kdc logins+tickets/s"), times, 1, true}},
		peers: []peer{{"ours", "KDC/krbtest logins+tickets/s"}, {"krb5kdc", "KDC/krb5kdc logins+tickets/s"}},
	},
	{
		work: "Ticket with a PAC of 6 kB",
		why:  "The initial token has a copy of the ticket, in a buffer as long, and the allocator takes longer for those of more than some kB. To accept, the ticket is hashed and compared with those that are known, and a new one is copied, decrypted by AES and hashed by SHA-1.",
		bars: []bar{
			{"initial token ≤ 2 × that without", over("PAC/initiate/groups ns/op", "PAC/initiate/none ns/op"), times, 2, false},
			{"accept ≤ 2 × that without", over("PAC/accept/groups ns/op", "PAC/accept/none ns/op"), times, 2, false},
			{"accept the first ≤ 2 × that without", over("PAC/first/groups ns/op", "PAC/first/none ns/op"), times, 2, false},
		},
		peers: []peer{{"the token", "PAC/initiate/groups B/token"}, {"initial token", "PAC/initiate/groups ns/op"}, {"accept", "PAC/accept/groups ns/op"}, {"accept the first", "PAC/first/groups ns/op"}},
	},
}
