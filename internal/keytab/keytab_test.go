package keytab

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gokrb5 "github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/go-negotiate/negotiate/internal/principal"
)

var (
	web   = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"HTTP", "web.x.test"}}
	alice = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"alice"}}
	svc   = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"svc"}}
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// ktutil.keytab was written by MIT's ktutil, holes.keytab is the same after
// MIT's kadmin removed two entries; the keys are what "klist -K" prints.
func ktutilEntries() []Entry {
	at := time.Date(2026, 11, 24, 21, 55, 53, 0, time.UTC)
	return []Entry{
		{web, 3, 18, unhex("3f3d123d1583c6d55ab7231367b178bc83f13dc4f9a9e9a23730f98378a7ca0b"), at},
		{web, 300, 19, unhex("e461f74c44d2f7eb627b241f20633202"), at},
		{alice, 1, 23, unhex("878d8014606cda29677a44efa1353fc7"), at},
		{svc, 7, 17, unhex("000102030405060708090a0b0c0d0e0f"), at},
	}
}

func TestReadMIT(t *testing.T) {
	all := ktutilEntries()
	for file, want := range map[string][]Entry{
		"ktutil.keytab": all,
		"holes.keytab":  {all[1], all[3]},
	} {
		k, stamp, err := ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(k.Entries, want) {
			t.Errorf("%s: got %v, want %v", file, k.Entries, want)
		}
		if stamp.Size == 0 {
			t.Errorf("%s: the stamp has no size", file)
		}
	}
}

func TestReadKadmin(t *testing.T) {
	k, _, err := ReadFile("testdata/kadmin.keytab")
	if err != nil {
		t.Fatal(err)
	}
	var types []int32
	for _, e := range k.Entries {
		types = append(types, e.KeyType)
		if !e.Principal.Equal(web) || e.KVNO != 2 {
			t.Errorf("got %v, want kvno 2 of %v", e, web)
		}
	}
	if !slices.Equal(types, []int32{18, 17, 20, 19, 23}) {
		t.Errorf("key types are %v", types)
	}
	if names := k.Principals(); len(names) != 1 || !names[0].Equal(web) {
		t.Errorf("Principals: %v", names)
	}
}

// Our files are MIT's, octet for octet.
func TestMarshalAsMIT(t *testing.T) {
	for _, file := range []string{"ktutil.keytab", "kadmin.keytab"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		k, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		out, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, b) {
			t.Errorf("%s: written back it is\n%x, want\n%x", file, out, b)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	for name, e := range map[string]Entry{
		"realm":      {Principal: principal.Name{Realm: long}},
		"component":  {Principal: principal.Name{Components: []string{long}}},
		"components": {Principal: principal.Name{Components: make([]string, maxComponents+1)}},
		"key":        {Key: []byte(long)},
		"key type":   {KeyType: 1 << 15},
	} {
		if _, err := (&Keytab{Entries: []Entry{e}}).Marshal(); err == nil {
			t.Errorf("a %s that does not fit is written", name)
		}
	}
}

// rawEntry is the body of an entry of either version, in the given byte order.
func rawEntry(version int, order binary.AppendByteOrder, kvno8 byte, tail ...byte) []byte {
	count := uint16(2)
	if version == 1 {
		count++
	}
	b := order.AppendUint16(nil, count)
	for _, s := range []string{"X.TEST", "HTTP", "web.x.test"} {
		b = append(order.AppendUint16(b, uint16(len(s))), s...)
	}
	if version == 2 {
		b = order.AppendUint32(b, 1)
	}
	b = order.AppendUint32(b, 1700000000)
	b = order.AppendUint16(append(b, kvno8), 17)
	b = append(order.AppendUint16(b, 4), "key!"...)
	return append(b, tail...)
}

func file(version int, order binary.AppendByteOrder, entries ...[]byte) []byte {
	b := []byte{5, byte(version)}
	for _, e := range entries {
		b = append(order.AppendUint32(b, uint32(len(e))), e...)
	}
	return b
}

func TestVersion1(t *testing.T) {
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		// The length of the first entry is that of a hole in the wrong order.
		padded := rawEntry(1, order, 9, make([]byte, 100)...)
		k, err := Parse(file(1, order, padded, rawEntry(1, order, 10)))
		if err != nil {
			t.Errorf("%s endian: %v", name, err)
			continue
		}
		want := Entry{web, 10, 17, []byte("key!"), time.Unix(1700000000, 0).UTC()}
		if len(k.Entries) != 2 || !reflect.DeepEqual(k.Entries[1], want) {
			t.Errorf("%s endian: got %v", name, k.Entries)
		}
	}
}

func TestKVNOExtension(t *testing.T) {
	be := binary.BigEndian
	for name, tc := range map[string]struct {
		tail []byte
		want uint32
	}{
		"none":              {nil, 9},
		"too short":         {[]byte{0, 0, 1}, 9},
		"32 bits":           {[]byte{0, 0, 1, 9}, 265},
		"zero":              {[]byte{0, 0, 0, 0}, 9},
		"and Heimdal flags": {[]byte{0, 0, 1, 9, 0, 0, 0, 0}, 265},
	} {
		k, err := Parse(file(2, be, rawEntry(2, be, 9, tc.tail...)))
		if err != nil || len(k.Entries) != 1 || k.Entries[0].KVNO != tc.want {
			t.Errorf("%s: got %v, %v; want kvno %d", name, k, err, tc.want)
		}
	}
}

func TestParseEnds(t *testing.T) {
	be := binary.BigEndian
	one := file(2, be, rawEntry(2, be, 9))
	for name, tail := range map[string][]byte{
		"zero length":         {0, 0, 0, 0, 1, 2, 3},
		"hole to the end":     {0xff, 0xff, 0xff, 0xfe, 1, 2},
		"hole beyond the end": {0xff, 0xff, 0, 0, 1, 2},
		"smallest length":     {0x80, 0, 0, 0},
	} {
		k, err := Parse(append(slices.Clone(one), tail...))
		if err != nil || len(k.Entries) != 1 {
			t.Errorf("%s: got %v, %v; want one entry", name, k, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	be := binary.BigEndian
	whole := file(2, be, rawEntry(2, be, 9))
	for n := range len(whole) {
		if n == 2 {
			continue // an empty keytab
		}
		if k, err := Parse(whole[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d octets give %v, %v", n, k, err)
		}
	}
	for name, b := range map[string][]byte{
		"text":             []byte("# keytab"),
		"version 3":        {5, 3},
		"other magic":      {4, 2},
		"huge entry":       {5, 2, 0x7f, 0xff, 0xff, 0xff, 0},
		"many components":  file(2, be, append([]byte{0xff, 0xff}, make([]byte, 1<<18)...)),
		"inner length":     file(2, be, []byte{0, 1, 0xff, 0xff, 'X'}),
		"no realm counted": file(1, be, append([]byte{0, 0}, make([]byte, 40)...)),
		"too large":        make([]byte, maxFile+1),
	} {
		if k, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
}

func TestLookup(t *testing.T) {
	at := time.Unix(1700000000, 0)
	entry := func(kvno uint32, age time.Duration) Entry {
		return Entry{Principal: web, KVNO: kvno, KeyType: 18, Timestamp: at.Add(-age)}
	}
	for name, tc := range map[string]struct {
		entries []Entry
		kvno    uint32
		want    uint32 // 0: none
	}{
		"newest":                {[]Entry{entry(2, 0), entry(4, 0), entry(3, 0)}, 0, 4},
		"exact":                 {[]Entry{entry(2, 0), entry(4, 0), entry(3, 0)}, 3, 3},
		"absent":                {[]Entry{entry(2, 0)}, 5, 0},
		"low 8 bits":            {[]Entry{entry(44, 0)}, 300, 44},
		"exact before low bits": {[]Entry{entry(44, 0), entry(300, 0)}, 300, 300},
		"wrapped, newer":        {[]Entry{entry(255, time.Hour), entry(1, 0)}, 0, 1},
		"wrapped, any order":    {[]Entry{entry(1, 0), entry(255, time.Hour)}, 0, 1},
		"not wrapped, older":    {[]Entry{entry(255, 0), entry(1, time.Hour)}, 0, 255},
		"another etype":         {[]Entry{{Principal: web, KVNO: 2, KeyType: 17}}, 0, 0},
		"another name":          {[]Entry{{Principal: svc, KVNO: 2, KeyType: 18}}, 0, 0},
	} {
		k := &Keytab{Entries: tc.entries}
		e, ok := k.Lookup(web, tc.kvno, 18)
		if ok != (tc.want != 0) || e.KVNO != tc.want {
			t.Errorf("%s: got %v, %v; want kvno %d", name, e, ok, tc.want)
		}
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if _, _, err := ReadFile(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	want := &Keytab{Entries: ktutilEntries()}
	if err := WriteFile(path, want); err != nil {
		t.Fatal(err)
	}
	got, before, err := ReadFile(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if before.Exposed() {
		t.Error("others may read a keytab that we wrote")
	}
	want.Entries = want.Entries[1:]
	if err := WriteFile(path, want); err != nil {
		t.Fatal(err)
	}
	if _, after, err := ReadFile(path); err != nil || after == before {
		t.Errorf("a rewritten file has the same stamp (%v)", err)
	}
}

func TestNoKeysInText(t *testing.T) {
	e := Entry{Principal: web, KVNO: 3, KeyType: 18, Key: []byte("very-secret-key!")}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("entry", "entry", e, "keytab", &Keytab{Entries: []Entry{e}})
	}
	texts := []string{log.String(), e.String()}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(format, e), fmt.Sprintf(format, &e), fmt.Sprintf(format, &Keytab{Entries: []Entry{e}}))
	}
	for _, text := range texts {
		for _, secret := range []string{"very-secret", "766572792d736563", "118 101 114 121", "0x76", "dmVyeS1zZWNyZXQ"} {
			if strings.Contains(text, secret) {
				t.Errorf("the key is in %q", text)
			}
		}
	}
	if !strings.Contains(log.String(), "HTTP/web.x.test@X.TEST") {
		t.Errorf("the log does not name the principal: %s", log.String())
	}
}

// gokrb5 reads the same entries.
func TestAgainstGokrb5(t *testing.T) {
	for _, file := range []string{"ktutil.keytab", "holes.keytab", "kadmin.keytab"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		theirs := gokrb5.New()
		if err := theirs.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		if len(ours.Entries) != len(theirs.Entries) {
			t.Fatalf("%s: we read %d entries, gokrb5 %d", file, len(ours.Entries), len(theirs.Entries))
		}
		for i, e := range ours.Entries {
			o := theirs.Entries[i]
			name := principal.Name{Realm: o.Principal.Realm, Components: o.Principal.Components}
			if !e.Principal.Equal(name) || e.Principal.Type != o.Principal.NameType || e.KVNO != o.KVNO ||
				e.KeyType != o.Key.KeyType || !bytes.Equal(e.Key, o.Key.KeyValue) || !e.Timestamp.Equal(o.Timestamp) {
				t.Errorf("%s: entry %d is %v, gokrb5 has %v", file, i, e, o)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.keytab")
	if err != nil || len(paths) == 0 {
		f.Fatal("no keytabs in testdata", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file(1, binary.LittleEndian, rawEntry(1, binary.LittleEndian, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("the error %v does not wrap ErrFormat", err)
			}
			return
		}
		out, err := k.Marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Parse(out)
		if err != nil || !reflect.DeepEqual(again.Entries, k.Entries) {
			t.Errorf("%v is written and read again as %v, %v", k.Entries, again, err)
		}
	})
}
