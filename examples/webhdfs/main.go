// Command webhdfs lists folders and prints files of HDFS over WebHDFS, with the
// tickets of kinit:
//
//	kinit
//	webhdfs -url https://namenode.example.com:9871 ls /user/alice
//	webhdfs -url https://namenode.example.com:9871 cat /user/alice/notes.txt
//
// It exits with 1 for a failure, 2 for a wrong command line and 4 if there is no
// usable ticket.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/signal"
	"path"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhdfs:", err)
		os.Exit(exitStatus(err))
	}
}

var errUsage = errors.New("usage: webhdfs [-url URL] ls|cat PATH")

func exitStatus(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, gss.ErrNoCred), errors.Is(err, gss.ErrCredentialsExpired):
		return 4
	}
	return 1
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("webhdfs", flag.ContinueOnError)
	base := flags.String("url", os.Getenv("WEBHDFS_URL"), "the NameNode, or an HttpFS server")
	if err := flags.Parse(args); err != nil || flags.NArg() != 2 {
		return errUsage
	}
	c, err := newClient(*base)
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	switch command, name := flags.Arg(0), flags.Arg(1); command {
	case "ls":
		return c.list(ctx, name, out)
	case "cat":
		return c.cat(ctx, name, out)
	}
	return errUsage
}

// client calls WebHDFS.
type client struct {
	base *url.URL
	http *http.Client
}

func newClient(base string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, fmt.Errorf("%w: the URL %q has no host", errUsage, base)
	}
	// Hadoop answers an authenticated request with a cookie, hadoop.auth, that
	// stands for the user in further ones.
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &client{base: u, http: &http.Client{Transport: &negotiate.Transport{}, Jar: jar}}, nil
}

// get carries out an operation and returns the response, whose status is 200. A
// file is read from a DataNode, to which the NameNode redirects with a token of
// Hadoop's own in the URL: the DataNode asks for no ticket, and is sent none.
func (c *client) get(ctx context.Context, name, op string) (*http.Response, error) {
	u := *c.base
	u.Path = path.Join("/", u.Path, "webhdfs/v1", name)
	u.RawQuery = url.Values{"op": {op}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, failure(resp)
	}
	return resp, nil
}

// failure makes an error of a response that is not what was asked for.
func failure(resp *http.Response) error {
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return fmt.Errorf("%s: %w", resp.Status, x.Err)
	}
	var remote struct {
		RemoteException struct{ Exception, Message string }
	}
	err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&remote)
	if err != nil || remote.RemoteException.Exception == "" {
		return errors.New(resp.Status)
	}
	return fmt.Errorf("%s: %s", remote.RemoteException.Exception, remote.RemoteException.Message)
}

// fileStatus is a FileStatus of WebHDFS, as far as ls shows it.
type fileStatus struct {
	PathSuffix       string
	Type             string // FILE, DIRECTORY or SYMLINK
	Owner, Group     string
	Permission       string // octal
	Length           int64
	ModificationTime int64 // milliseconds since 1970
}

func (c *client) list(ctx context.Context, name string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp, err := c.get(ctx, name, "LISTSTATUS")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var listing struct {
		FileStatuses struct{ FileStatus []fileStatus }
	}
	if err := json.NewDecoder(resp.Body).Decode(&listing); err != nil {
		return fmt.Errorf("the listing of %s cannot be read: %w", name, err)
	}
	for _, f := range listing.FileStatuses.FileStatus {
		if f.PathSuffix == "" { // name is a file
			f.PathSuffix = path.Base(name)
		}
		fmt.Fprintf(out, "%-9s %4s %-8s %-8s %12d %s %s\n", f.Type, f.Permission, f.Owner, f.Group, f.Length,
			time.UnixMilli(f.ModificationTime).UTC().Format(time.DateTime), f.PathSuffix)
	}
	return nil
}

func (c *client) cat(ctx context.Context, name string, out io.Writer) error {
	resp, err := c.get(ctx, name, "OPEN")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(out, resp.Body)
	return err
}
