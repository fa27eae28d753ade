package spnego

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxFields bounds the fields of one SEQUENCE; the tokens define five.
const maxFields = 16

// eachField calls f for each of the explicitly tagged fields [0], [1] ... of a
// SEQUENCE. They have to be in order, so that none appears twice. f ignores
// the numbers it does not know, for both tokens may be extended.
func eachField(seq cryptobyte.String, f func(number int, body cryptobyte.String) error) error {
	last := -1
	for n := 0; !seq.Empty(); n++ {
		var body cryptobyte.String
		var tag asn1.Tag
		if n == maxFields || !seq.ReadAnyASN1(&body, &tag) {
			return fmt.Errorf("what follows field [%d] is no field", last)
		}
		number := int(tag) - tagContext
		switch {
		case number < 0 || number > 0x1e:
			return fmt.Errorf("tag %#02x after field [%d] is none of a field", uint8(tag), last)
		case number == last:
			return fmt.Errorf("field [%d] appears twice", number)
		case number < last:
			return fmt.Errorf("field [%d] follows field [%d]", number, last)
		}
		last = number
		if err := f(number, body); err != nil {
			return err
		}
	}
	return nil
}

// readTag reads the one element of which body must consist.
func readTag(body []byte, tag asn1.Tag, what string) ([]byte, error) {
	s := cryptobyte.String(body)
	var content cryptobyte.String
	if !s.ReadASN1(&content, tag) || !s.Empty() {
		return nil, fmt.Errorf("%s is malformed: want one element with tag %#02x", what, uint8(tag))
	}
	return content, nil
}
