package etype

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// octets is a string of octets, in hexadecimal in JSON.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

type mitVectors struct {
	Messages []struct {
		Etype                                ID
		Usage                                uint32
		Key, Plaintext, Ciphertext, Checksum octets
	}
	Keys []struct {
		Etype          ID
		Password, Salt string
		Params, Key    octets
	}
}

func readMITVectors(t testing.TB) mitVectors {
	t.Helper()
	text, err := os.ReadFile("testdata/mit.json")
	if err != nil {
		t.Fatal(err)
	}
	var v mitVectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Messages) == 0 || len(v.Keys) == 0 {
		t.Fatal("testdata/mit.json is empty")
	}
	return v
}

// TestReadsMIT opens what MIT krb5 has sealed; see testdata/mit.py.
func TestReadsMIT(t *testing.T) {
	for _, v := range readMITVectors(t).Messages {
		k := mustKey(t, v.Etype, v.Key)
		got, err := k.AppendDecrypt(nil, v.Usage, v.Ciphertext)
		if err != nil || !bytes.Equal(got, v.Plaintext) {
			t.Errorf("%v, usage %d, %d octets: decrypted to %x, %v; want %x",
				v.Etype, v.Usage, len(v.Plaintext), got, err, v.Plaintext)
		}
		if _, err := k.AppendDecrypt(nil, v.Usage+100, v.Ciphertext); !errors.Is(err, ErrIntegrity) {
			t.Errorf("%v, usage %d, opened with another usage: error %v, want ErrIntegrity", v.Etype, v.Usage, err)
		}
		sum, err := k.AppendChecksum(nil, v.Usage, v.Plaintext)
		if err != nil || !bytes.Equal(sum, v.Checksum) {
			t.Errorf("%v, usage %d, %d octets: checksum %x, %v; want %x",
				v.Etype, v.Usage, len(v.Plaintext), sum, err, v.Checksum)
		}
		if err := k.VerifyChecksum(v.Usage, v.Plaintext, v.Checksum); err != nil {
			t.Errorf("%v, usage %d: MIT's checksum does not verify: %v", v.Etype, v.Usage, err)
		}
	}
}

func TestStringToKeyAgreesWithMIT(t *testing.T) {
	for _, v := range readMITVectors(t).Keys {
		k, err := StringToKey(v.Etype, v.Password, v.Salt, v.Params)
		if err != nil {
			t.Errorf("%v, password %q: %v", v.Etype, v.Password, err)
			continue
		}
		if !k.Equal(mustKey(t, v.Etype, v.Key)) {
			t.Errorf("%v, password %q, salt %q, params %x: key %x, want %x",
				v.Etype, v.Password, v.Salt, v.Params, k.Bytes(), v.Key)
		}
	}
}

func mustKey(t testing.TB, id ID, value []byte) *Key {
	t.Helper()
	k, err := NewKey(id, value)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
