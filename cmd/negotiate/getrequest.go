package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// datum is the value of one --data or --data-binary.
type datum struct {
	value  string
	binary bool
}

func (o *getOptions) addData(binary bool) func(string) error {
	return func(v string) error {
		o.data = append(o.data, datum{v, binary})
		return nil
	}
}

// read returns the octets that d stands for. As curl does, it takes the line
// breaks out of a file that is sent as a form.
func (d datum) read(stdin io.Reader) ([]byte, error) {
	name, file := strings.CutPrefix(d.value, "@")
	if !file {
		return []byte(d.value), nil
	}
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(name)
	}
	if d.binary {
		return b, err
	}
	return slices.DeleteFunc(b, func(c byte) bool { return c == '\r' || c == '\n' || c == 0 }), err
}

// request makes the request. Its body can be had again, for the leg with the
// token.
func (o *getOptions) request(ctx context.Context, stdin io.Reader) (*http.Request, error) {
	body, err := o.body(stdin)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	method := http.MethodGet
	switch {
	case o.method != "":
		method = o.method
	case o.head:
		method = http.MethodHead
	case body != nil:
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, o.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "negotiate/"+strings.Trim(version(), "()"))
	req.Header.Set("Accept", "*/*")
	if body != nil {
		setBody(req, body)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	o.headers.apply(req)
	return req, nil
}

// body is what is sent; nil for nothing.
func (o *getOptions) body(stdin io.Reader) ([]byte, error) {
	if len(o.data) == 0 {
		return nil, nil
	}
	parts := make([][]byte, len(o.data))
	for i, d := range o.data {
		var err error
		if parts[i], err = d.read(stdin); err != nil {
			return nil, err
		}
	}
	return append([]byte{}, bytes.Join(parts, []byte("&"))...), nil
}

func setBody(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	if len(body) == 0 {
		req.Body = http.NoBody
	}
}

// headerLines are the values of -H.
type headerLines struct {
	set  http.Header
	drop []string
}

// add reads one as curl does: "Name: value", "Name:" to leave out what would be
// sent otherwise, and "Name;" for an empty value.
func (h *headerLines) add(line string) error {
	name, value, ok := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	drop := ok && value == ""
	if !ok {
		name, ok = strings.CutSuffix(line, ";")
	}
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return errors.New("a header reads 'Name: value'")
	}
	if drop {
		h.drop = append(h.drop, name)
		return nil
	}
	if h.set == nil {
		h.set = make(http.Header)
	}
	h.set.Add(name, value)
	return nil
}

func (h *headerLines) apply(req *http.Request) {
	for _, name := range h.drop {
		req.Header.Del(name)
		if strings.EqualFold(name, "User-Agent") {
			req.Header["User-Agent"] = nil // net/http has one of its own
		}
	}
	for name, values := range h.set {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
}
