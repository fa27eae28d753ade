package gss_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func TestCredentialOptionsDoNotShowThePassword(t *testing.T) {
	const password = "correct horse"
	o := gss.CredentialOptions{Name: gss.User("alice@EXAMPLE.COM"), Mechanism: gss.MechKRB5, Password: password}
	for name, v := range map[string]any{"value": o, "pointer": &o, "struct": struct{ O gss.CredentialOptions }{o}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", v)
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %t", v, v, v, v, v, v, v, v, v) + string(j) + log.String()
		for _, trace := range []string{password, fmt.Sprintf("%x", password), fmt.Sprintf("%X", password)} {
			if strings.Contains(out, trace) {
				t.Errorf("%s: the password is shown: %s", name, out)
			}
		}
	}
	const want = "{Name:alice@EXAMPLE.COM Usage:initiate Mechanism:1.2.840.113554.1.2.2 CCache: Keytab: Password:(set)}"
	if got := o.String(); got != want {
		t.Errorf("the options read %s, want %s", got, want)
	}
	if got := fmt.Sprintf("%#v", o); got != "gss.CredentialOptions"+want {
		t.Errorf("the options read %s as Go", got)
	}
	if got := (gss.CredentialOptions{}).String(); strings.Contains(got, "Password") {
		t.Errorf("options without a password read %s", got)
	}
}

func TestUsageString(t *testing.T) {
	for u, want := range map[gss.Usage]string{
		gss.UsageInitiate: "initiate", gss.UsageAccept: "accept", gss.UsageBoth: "both", 7: "Usage(7)",
	} {
		if got := u.String(); got != want {
			t.Errorf("usage %d is called %q, want %q", u, got, want)
		}
	}
}
