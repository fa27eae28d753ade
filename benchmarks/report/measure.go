package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// group is benchmarks that are compared with each other. Each round runs all of
// them in turn, so that what disturbs the machine disturbs them alike.
type group struct {
	name   string
	bench  string // as of go test
	rounds int
	time   time.Duration // of each benchmark in a round
}

var groups = []group{
	{"tokens", "^Benchmark(Floor|Initiate|Accept|Verify|Libgssapi)$", 7, 200 * time.Millisecond},
	{"together", "^BenchmarkTogether$", 7, 200 * time.Millisecond},
	{"loopback", "^BenchmarkLoopback(InTurn)?$", 7, 400 * time.Millisecond},
	{"apache", "^BenchmarkApache(InTurn)?$", 7, 400 * time.Millisecond},
	{"load", "^BenchmarkApacheGoroutines$", 3, time.Second},
	{"cold", "^BenchmarkCold$", 3, 200 * time.Millisecond},
	{"command", "^BenchmarkCommand$", 7, time.Second},
	{"kdc", "^Benchmark(NewKDC|KDC)$", 5, 400 * time.Millisecond},
	{"goroutines", "^BenchmarkGoroutines$", 3, 300 * time.Millisecond},
	{"pac", "^BenchmarkPAC$", 7, 100 * time.Millisecond},
	{"size", "^BenchmarkSize$", 5, 50 * time.Millisecond},
	{"hosts", "^BenchmarkHosts$", 3, 50 * time.Millisecond},
	{"replay", "^BenchmarkReplay$", 3, 100 * time.Millisecond},
}

// profiled are benchmarks whose profiles are shown: those of the bars that
// net/http itself is in the way of.
var profiled = []struct{ title, bench string }{
	{"The opportunistic GET on loopback, client and server in one process", "^BenchmarkLoopback$/^negotiate$"},
	{"The opportunistic GET to Apache, the client alone", "^BenchmarkApache$/^negotiate$"},
}

// measure writes the results of the groups whose name matches only.
func measure(w io.Writer, only string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bench")
	if out, err := exec.Command("go", "test", "-c", "-tags", "interop", "-o", binary, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	describe(w)
	for _, g := range groups {
		if !chosen.MatchString(g.name) {
			continue
		}
		for range g.rounds {
			if err := bench(w, binary, g.bench, g.time); err != nil {
				return fmt.Errorf("%s: %w", g.name, err)
			}
		}
	}
	for _, p := range profiled {
		if err := profile(w, binary, dir, p.title, p.bench); err != nil {
			return err
		}
	}
	return nil
}

func bench(w io.Writer, binary, pattern string, t time.Duration, args ...string) error {
	cmd := exec.Command(binary, append([]string{"-test.run", "^$", "-test.bench", pattern, "-test.benchtime", t.String(), "-test.timeout", "5m"}, args...)...)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	return cmd.Run()
}

// shown are the functions that a profile is summed up by: ours, where the parts of
// a request begin, and the great ones of net/http and the runtime.
var shown = strings.Join([]string{
	`negotiate\.\(\*Transport\)\.RoundTrip$`, `negotiate\.\(\*Handler\)\.ServeHTTP$`,
	`negotiate\.\(\*pool\)\.(get|release|changed)$`, `negotiate\.\(\*negotiation\)\.(leg|finish)$`,
	`negotiate\.(encodeToken|parseAuthorization|withoutToken)$`,
	`krb5\.\(\*(initiator|acceptor)\)\.Step$`, `krb5\.\(\*Provider\)\.keysOf$`,
	`replay\.\(\*Cache\)\.Check$`, `etype\.\(\*Key\)\.(Seal|Open)$`, `sha256\.Sum256$`,
	`net/http\.\(\*(Client|conn|persistConn)\)\.(Do|serve|readLoop|writeLoop|readRequest)$`,
	`linux\.Syscall6$`, `runtime\.(mallocgc|gcBgMarkWorker|mcall|findRunnable|futex)$`,
}, "|")

// profile writes where the time of a benchmark goes, as comments.
func profile(w io.Writer, binary, dir, title, pattern string) error {
	file := filepath.Join(dir, "cpu")
	if err := bench(io.Discard, binary, pattern, 3*time.Second, "-test.cpuprofile", file); err != nil {
		return err
	}
	top, err := output("go", "tool", "pprof", "-top", "-cum", "-nodecount", "30", "-show", shown, binary, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "# = %s\n", title)
	for line := range strings.Lines(top) {
		if strings.Contains(line, "%") || strings.Contains(line, "flat") {
			fmt.Fprintf(w, "# %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

// peerPackages are Debian's of the peers.
var peerPackages = []string{"apache2", "libapache2-mod-auth-gssapi", "krb5-kdc", "libgssapi-krb5-2", "curl", "wrk", "python3-gssapi", "python3-requests-kerberos"}

// peerModules are Go's.
var peerModules = []string{"github.com/jcmturner/gokrb5/v8", "github.com/dpotapov/go-spnego"}

// describe writes what the results depend on.
func describe(w io.Writer) {
	note := func(key string, args ...string) {
		if v, err := output(args[0], args[1:]...); err == nil {
			fmt.Fprintf(w, "%s: %s\n", key, v)
		}
	}
	fmt.Fprintf(w, "date: %s\n", time.Now().UTC().Format(time.DateOnly))
	note("commit", "git", "describe", "--always")
	fmt.Fprintf(w, "go: %s\ncores: %d\n", runtime.Version(), runtime.NumCPU())
	note("system", "uname", "-sm")
	note("load", "cut", "-d ", "-f1", "/proc/loadavg")
	for _, p := range peerPackages {
		note("peer-"+p, "dpkg-query", "-W", "-f", "${Version}", p)
	}
	for _, m := range peerModules {
		note("peer-"+m, "go", "list", "-m", "-f", "{{.Version}}", m)
	}
}
