package krb5

import "github.com/go-negotiate/negotiate/gss"

// window tells replayed and old sequence numbers. It remembers the 64 newest.
type window struct {
	next uint64 // the number that is expected
	seen uint64 // bit i: next-1-i has come
	// ordered has gaps and late messages refused, as FlagSequence asks for. What
	// follows a gap is in order again.
	ordered bool
}

// accept records a number that was authenticated. Without FlagSequence gaps are no
// error: messages over HTTP may be answered in any order.
func (w *window) accept(op string, seq uint64) error {
	if ahead := seq - w.next; ahead < 1<<62 {
		if ahead < 63 {
			w.seen = w.seen<<(ahead+1) | 1
		} else {
			w.seen = 1
		}
		w.next = seq + 1
		if w.ordered && ahead > 0 {
			return failure(gss.ErrGapToken, op, "%d before it have not come, and FlagSequence wants them in order", ahead)
		}
		return nil
	}
	back := w.next - 1 - seq
	switch {
	case back >= 64:
		return failure(gss.ErrOldToken, op, "its sequence number is more than 64 behind")
	case w.seen&(1<<back) != 0:
		return failure(gss.ErrDuplicateToken, op, "it has come before")
	}
	w.seen |= 1 << back
	if w.ordered {
		return failure(gss.ErrUnseqToken, op, "later ones have come already, and FlagSequence wants them in order")
	}
	return nil
}
