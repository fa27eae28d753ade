//go:build race

package etype

const raceEnabled = true
