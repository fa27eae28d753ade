package etype

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"strings"
	"testing"
)

// TestRFC3962StringToKey holds the key derivation against RFC 3962, appendix B.
// Its iteration counts are lower than what StringToKey accepts.
func TestRFC3962StringToKey(t *testing.T) {
	for _, tt := range []struct {
		count                  int
		password, salt         string
		wantAES128, wantAES256 string
	}{
		{1, "password", "ATHENA.MIT.EDUraeburn",
			"42263c6e89f4fc28b8df68ee09799f15",
			"fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"},
		{2, "password", "ATHENA.MIT.EDUraeburn",
			"c651bf29e2300ac27fa469d693bdda13",
			"a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff"},
		{1200, "password", "ATHENA.MIT.EDUraeburn",
			"4c01cd46d632d01e6dbe230a01ed642a",
			"55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"},
		{5, "password", "\x12\x34\x56\x78\x78\x56\x34\x12",
			"e9b23d52273747dd5c35cb55be619d8e",
			"97a4e786be20d81a382d5ebc96d5909cabcdadc87ca48f574504159f16c36e31"},
		{1200, strings.Repeat("X", 64), "pass phrase equals block size",
			"59d1bb789a828b1aa54ef9c2883f69ed",
			"89adee3608db8bc71f1bfbfe459486b05618b70cbae22092534e56c553ba4b34"},
		{1200, strings.Repeat("X", 65), "pass phrase exceeds block size",
			"cb8005dc5f90179a7f02104c0018751d",
			"d78c5c9cb872a8c9dad4697f0bb5b2d21496c82beb2caeda2112fceea057401b"},
		{50, "\U0001d11e", "EXAMPLE.COMpianist",
			"f149c1f2e154a73452d43e7fe62a56e5",
			"4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e"},
	} {
		for id, want := range map[ID]string{AES128SHA1: tt.wantAES128, AES256SHA1: tt.wantAES256} {
			p := profileOf(id)
			got, err := p.fromPassword(p, tt.password, tt.salt, tt.count)
			if err != nil || hex.EncodeToString(got) != want {
				t.Errorf("%v, %d iterations, %q, %q: %x, %v; want %s",
					id, tt.count, tt.password, tt.salt, got, err, want)
			}
		}
	}
}

// TestRFC3962CTS holds ciphertext stealing against RFC 3962, appendix B.
func TestRFC3962CTS(t *testing.T) {
	const plain = "I would like the General Gau's Chicken, please, and wonton soup."
	block, err := aes.NewCipher([]byte("chicken teriyaki"))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		17: "c6353568f2bf8cb4d8a580362da7ff7f97",
		31: "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
		32: "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
		47: "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5",
		48: "97687268d6ecccc0c07b25e25ecfe5849dad8bbb96c4cdc03bc103e1a194bbd839312523a78662d5be7fcbcc98ebf5a8",
		64: "97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a8" +
			"4807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8",
	} {
		buf := []byte(plain[:n])
		ctsEncrypt(block, buf)
		if got := hex.EncodeToString(buf); got != want {
			t.Errorf("%d octets: encrypted to %s, want %s", n, got, want)
		}
		if ctsDecrypt(block, buf); string(buf) != plain[:n] {
			t.Errorf("%d octets: decrypted to %q", n, buf)
		}
	}
}

const (
	rfc8009Key128 = "3705d96080c17728a0e800eab6e0d23c"
	rfc8009Key256 = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52"
)

// TestRFC8009Derivation holds Kc, Ke and Ki for key usage 2 against RFC 8009,
// appendix A.
func TestRFC8009Derivation(t *testing.T) {
	for _, tt := range []struct {
		id      ID
		key     string
		purpose byte
		want    string
	}{
		{AES128SHA2, rfc8009Key128, purposeChecksum, "b31a018a48f54776f403e9a396325dc3"},
		{AES128SHA2, rfc8009Key128, purposeEncrypt, "9b197dd1e8c5609d6e67c3e37c62c72e"},
		{AES128SHA2, rfc8009Key128, purposeIntegrity, "9fda0e56ab2d85e1569a688696c26a6c"},
		{AES256SHA2, rfc8009Key256, purposeChecksum, "ef5718be86cc84963d8bbb5031e9f5c4ba41f28faf69e73d"},
		{AES256SHA2, rfc8009Key256, purposeEncrypt, "56ab22bee63d82d7bc5227f6773f8ea7a5eb1c825160c38312980c442e5c7e49"},
		{AES256SHA2, rfc8009Key256, purposeIntegrity, "69b16514e3cd8e56b82010d5c73012b622c4d00ffc23ed1f"},
	} {
		w := profileOf(tt.id).hash.get()
		w.base.init(w, unhex(t, tt.key))
		got := kdf(w, usageConstant(2, tt.purpose), 5, len(tt.want)/2)
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("%v, %#x: %x, want %s", tt.id, tt.purpose, got, tt.want)
		}
	}
}

// TestRFC8009Encryption holds messages under key usage 2 against RFC 8009,
// appendix A. Open leaves the confounder in front of the plaintext.
func TestRFC8009Encryption(t *testing.T) {
	for _, tt := range []struct {
		id                                ID
		key, plain, confounder, encrypted string
	}{
		{AES128SHA2, rfc8009Key128, "", "7e5895eaf2672435bad817f545a37148",
			"ef85fb890bb8472f4dab20394dca781d" +
				"ad877eda39d50c870c0d5a0a8e48c718"},
		{AES128SHA2, rfc8009Key128, "000102030405", "7bca285e2fd4130fb55b1a5c83bc5b24",
			"84d7f30754ed987bab0bf3506beb09cfb55402cef7e6" +
				"877ce99e247e52d16ed4421dfdf8976c"},
		{AES128SHA2, rfc8009Key128, "000102030405060708090a0b0c0d0e0f", "56ab21713ff62c0a1457200f6fa9948f",
			"3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc2" +
				"95fb4852e7d83e1e7c48c37eebe6b0d3"},
		{AES128SHA2, rfc8009Key128, "000102030405060708090a0b0c0d0e0f1011121314", "a7a4e29a4728ce10664fb64e49ad3fac",
			"720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bce1e6d072c1" +
				"86b39a413c2f92ca9b8334a287ffcbfc"},
		{AES256SHA2, rfc8009Key256, "", "f764e9fa15c276478b2c7d0c4e5f58e4",
			"41f53fa5bfe7026d91faf9be959195a0" +
				"58707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c"},
		{AES256SHA2, rfc8009Key256, "000102030405", "b80d3251c1f6471494256ffe712d0b9a",
			"4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9" +
				"f559c7f664f69eab7b6092237526ea0d1f61cb20d69d10f2"},
		{AES256SHA2, rfc8009Key256, "000102030405060708090a0b0c0d0e0f", "53bf8a0d105265d4e276428624ce5e63",
			"bc47ffec7998eb91e8115cf8d19dac4bbbe2e163e87dd37f49beca92027764f6" +
				"8cf51f14d798c2273f35df574d1f932e40c4ff255b36a266"},
		{AES256SHA2, rfc8009Key256, "000102030405060708090a0b0c0d0e0f1011121314", "763e65367e864f02f55153c7e3b58af1",
			"40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2b2a602ac86" +
				"fef6ecb647d6295fae077a1feb517508d2c16b4192e01f62"},
	} {
		buf := unhex(t, tt.encrypted)
		plain, err := mustKey(t, tt.id, unhex(t, tt.key)).Open(2, buf)
		if err != nil || hex.EncodeToString(plain) != tt.plain {
			t.Errorf("%v, plaintext %q: opened to %x, %v", tt.id, tt.plain, plain, err)
			continue
		}
		if got := hex.EncodeToString(buf[:16]); got != tt.confounder {
			t.Errorf("%v, plaintext %q: confounder %s, want %s", tt.id, tt.plain, got, tt.confounder)
		}
	}
}

// TestRFC8009Checksum holds checksums under key usage 2 against RFC 8009,
// appendix A.
func TestRFC8009Checksum(t *testing.T) {
	data := unhex(t, "000102030405060708090a0b0c0d0e0f1011121314")
	for _, tt := range []struct {
		id        ID
		key, want string
	}{
		{AES128SHA2, rfc8009Key128, "d78367186643d67b411cba9139fc1dee"},
		{AES256SHA2, rfc8009Key256, "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a"},
	} {
		got, err := mustKey(t, tt.id, unhex(t, tt.key)).AppendChecksum(nil, 2, data)
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%v: %x, %v; want %s", tt.id, got, err, tt.want)
		}
	}
}

// TestRFC8009StringToKey holds the key derivation against RFC 8009, appendix A.
func TestRFC8009StringToKey(t *testing.T) {
	salt := string(unhex(t, "10df9dd783e5bc8acea1730e74355f61")) + "ATHENA.MIT.EDUraeburn"
	for id, want := range map[ID]string{
		AES128SHA2: "089bca48b105ea6ea77ca5d2f39dc5e7",
		AES256SHA2: "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
	} {
		for _, params := range [][]byte{nil, {0, 0, 0x80, 0}} {
			k, err := StringToKey(id, "password", salt, params)
			if err != nil || !k.Equal(mustKey(t, id, unhex(t, want))) {
				t.Errorf("%v, params %x: %x, %v; want %s", id, params, k.Bytes(), err, want)
			}
		}
	}
}

// TestRFC4757StringToKey holds the key derivation against RFC 4757, section 2.
func TestRFC4757StringToKey(t *testing.T) {
	k, err := StringToKey(RC4HMAC, "foo", "no salt is used", nil)
	if want := unhex(t, "ac8e657f83df82beea5d43bdaf7800cc"); err != nil || !bytes.Equal(k.Bytes(), want) {
		t.Errorf("foo: %x, %v; want %x", k.Bytes(), err, want)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
