package kdc

import (
	"slices"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// preauth finds the key for the reply, and whether the client has proved to
// know it (RFC 4120, sections 3.1.3 and 5.2.7.2).
func (q *request) preauth(c *record) (key *etype.Key, proved bool, err error) {
	keys := c.current()
	id, ok := keys.first(q.msg.Body.ETypes)
	if !ok {
		return nil, false, refuse(krbmsg.ErrETypeNoSupp, "the client has no key of a requested encryption type")
	}
	value, ok := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAEncTimestamp)
	switch {
	case ok:
		key, err = q.checkTimestamp(keys, value)
		return key, err == nil, err
	case c.policy.NoPreauth:
		return keys.key(id), false, nil
	}
	return nil, false, &krbmsg.KRBError{Code: krbmsg.ErrPreauthRequired, Data: q.methods(keys)}
}

// checkTimestamp verifies PA-ENC-TIMESTAMP and returns the key it is under.
func (q *request) checkTimestamp(keys *keyVersion, value []byte) (*etype.Key, error) {
	failed := &krbmsg.KRBError{Code: krbmsg.ErrPreauthFailed, Data: q.methods(keys)}
	enc, err := krbmsg.ParseEncryptedData(value)
	if err != nil || !slices.Contains(q.msg.Body.ETypes, enc.EType) {
		return nil, failed
	}
	key := keys.key(etype.ID(enc.EType))
	if key == nil {
		return nil, failed
	}
	plain, err := key.AppendDecrypt(nil, krbmsg.UsageASReqTimestamp, enc.Cipher)
	if err != nil {
		return nil, failed
	}
	stamp, err := krbmsg.ParsePAEncTSEnc(plain)
	if err != nil {
		return nil, failed
	}
	if q.now.Sub(stamp).Abs() > q.realm.o.Skew {
		return nil, &krbmsg.KRBError{Code: krbmsg.ErrSkew}
	}
	return key, nil
}

// methods is the METHOD-DATA that tells a client how to pre-authenticate.
func (q *request) methods(keys *keyVersion) []byte {
	var ids []etype.ID
	for _, id := range q.msg.Body.ETypes {
		if slices.Contains(keys.enctypes, etype.ID(id)) && !slices.Contains(ids, etype.ID(id)) {
			ids = append(ids, etype.ID(id))
		}
	}
	return krbmsg.AppendMethodData(nil, []krbmsg.PAData{
		etypeInfo2(keys, ids...),
		{Type: krbmsg.PAEncTimestamp},
	})
}

// etypeInfo2 tells how a password becomes a key of the given types.
func etypeInfo2(keys *keyVersion, ids ...etype.ID) krbmsg.PAData {
	entries := make([]krbmsg.ETypeInfo2, 0, len(ids))
	for _, id := range ids {
		// RC4 has no salt (RFC 4757, section 2).
		salted := id != etype.RC4HMAC && keys.password != ""
		entries = append(entries, krbmsg.ETypeInfo2{EType: int32(id), HasSalt: salted, Salt: keys.salt})
	}
	return krbmsg.PAData{Type: krbmsg.PAETypeInfo2, Value: krbmsg.AppendETypeInfo2(nil, entries)}
}
