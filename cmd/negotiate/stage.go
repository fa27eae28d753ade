package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/krb5"
)

// The cast of the demonstration.
const (
	demoRealm    = "DEMO.TEST"
	demoHost     = "www.demo.test"
	serviceName  = "HTTP/" + demoHost
	demoUser     = "alice"
	demoPassword = "correct horse battery staple"
)

// stage is where the demonstration is played: a realm with a user and a service,
// its KDC, and the web server.
type stage struct {
	tape  tape
	began time.Time

	kdc      *kdc.Server
	config   string // path of krb5.conf
	keytab   string // path of the server's keys
	listener net.Listener
	server   *http.Server
	serving  sync.WaitGroup

	mu  sync.Mutex
	who *negotiate.Identity // as the server saw it
}

// newStage sets everything up, with its files in dir.
func newStage(dir string) (*stage, error) {
	d := &stage{config: filepath.Join(dir, "krb5.conf"), keytab: filepath.Join(dir, "web.keytab")}
	if err := errors.Join(d.startKDC(), d.startServer()); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *stage) startKDC() error {
	realm, err := kdc.New(kdc.Options{Realm: demoRealm})
	if err != nil {
		return err
	}
	if err := errors.Join(
		realm.Add(kdc.Entry{Name: demoUser, Password: demoPassword}),
		realm.Add(kdc.Entry{Name: serviceName}),
	); err != nil {
		return err
	}
	if d.kdc, err = kdc.Listen(realm, "127.0.0.1:0"); err != nil {
		return err
	}
	conf := kdc.ConfigText(realm.Enctypes(), d.kdc.Site())
	if err := os.WriteFile(d.config, []byte(conf), 0o600); err != nil {
		return err
	}
	keys, err := realm.Keytab(serviceName)
	if err != nil {
		return err
	}
	return keytab.WriteFile(d.keytab, keys)
}

func (d *stage) startServer() error {
	provider, err := krb5.New(krb5.Options{Config: d.config, Keytab: d.keytab})
	if err != nil {
		return err
	}
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	d.server = &http.Server{
		Handler: &negotiate.Handler{
			Provider: provider,
			Next:     http.HandlerFunc(d.page),
			Logger:   slog.New(slog.DiscardHandler),
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
	d.serving.Go(func() { d.server.Serve(d.listener) })
	return nil
}

// page is what the server protects.
func (d *stage) page(w http.ResponseWriter, r *http.Request) {
	id, ok := negotiate.IdentityFrom(r.Context())
	if !ok {
		http.Error(w, "nobody", http.StatusInternalServerError)
		return
	}
	d.mu.Lock()
	d.who = id
	d.mu.Unlock()
	fmt.Fprintf(w, "Hello, %s.\n", id.Principal)
}

func (d *stage) identity() *negotiate.Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.who
}

func (d *stage) url() string { return "http://" + demoHost + "/" }

// transport is the client. It finds the server without the DNS, and records what
// it says to the KDC.
func (d *stage) transport() (*negotiate.Transport, error) {
	provider, err := krb5.New(krb5.Options{Config: d.config, Dial: d.tape.dialKDC, Logger: newRecorder(d.log)})
	if err != nil {
		return nil, err
	}
	alice, err := provider.FromPassword(demoUser, demoPassword)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.listener.Addr().String())
	}
	return &negotiate.Transport{
		Base:       &http.Transport{DialContext: dial},
		Provider:   provider,
		Credential: alice,
		Mutual:     negotiate.MutualRequired,
	}, nil
}

// close stops what runs, and waits for it.
func (d *stage) close() {
	if d.server != nil {
		d.server.Close()
		d.serving.Wait()
	}
	if d.kdc != nil {
		d.kdc.Close()
	}
}
