//go:build !race

package etype

// raceEnabled tells of the race detector, under which a sync.Pool forgets at
// random.
const raceEnabled = false
