package etype

import (
	"bytes"
	"sync"
	"testing"
)

// TestManyUsages uses more key usages than a key remembers, each twice.
func TestManyUsages(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		for range 2 {
			for usage := range uint32(3 * maxUsages) {
				checkUsage(t, k, usage)
			}
		}
		seals, sums := 0, 0
		for n := k.seals.head.Load(); n != nil; n = n.next {
			seals++
		}
		for n := k.sums.head.Load(); n != nil; n = n.next {
			sums++
		}
		if seals != maxUsages || sums != maxUsages {
			t.Errorf("the key remembers %d and %d usages, want %d", seals, sums, maxUsages)
		}
	})
}

// TestDerivesOnce has a key seal twice under each of several usages.
func TestDerivesOnce(t *testing.T) {
	k := mustRandomKey(t, AES256SHA1)
	var first []*sealKey
	for range 2 {
		for usage := range uint32(5) {
			s, err := k.sealKey(usage)
			if err != nil {
				t.Fatal(err)
			}
			if len(first) < 5 {
				first = append(first, s)
			} else if s != first[usage] {
				t.Errorf("usage %d was derived again", usage)
			}
		}
	}
}

// TestConcurrentUse shares a fresh key among goroutines, which meet the same
// usages at the same time.
func TestConcurrentUse(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				<-start
				for usage := range uint32(maxUsages + 8) {
					checkUsage(t, k, usage)
				}
			})
		}
		close(start)
		wg.Wait()
	})
}

// checkUsage compares what k does with what a key does that was never used.
func checkUsage(t *testing.T, k *Key, usage uint32) {
	t.Helper()
	fresh, err := NewKey(k.Type(), k.Bytes())
	if err != nil {
		t.Error(err)
		return
	}
	sealed, err := k.AppendEncrypt(nil, usage, message(20))
	if err != nil {
		t.Error(err)
		return
	}
	if got, err := fresh.AppendDecrypt(nil, usage, sealed); err != nil || !bytes.Equal(got, message(20)) {
		t.Errorf("usage %d: opened to %x, %v", usage, got, err)
	}
	sum, err := k.AppendChecksum(nil, usage, message(20))
	if err != nil {
		t.Error(err)
		return
	}
	if err := fresh.VerifyChecksum(usage, message(20), sum); err != nil {
		t.Errorf("usage %d: %v", usage, err)
	}
}
