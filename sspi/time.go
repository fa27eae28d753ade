package sspi

import "time"

const (
	ticksPerSecond = 1e7
	// epoch1601 are the seconds from 1601, where Windows begins, to 1970.
	epoch1601 = 11644473600
	// never is the year from which on Windows means "never".
	never = 2999
)

// localTime reads a TimeStamp of SSPI, which has 100 nanoseconds of local time
// since 1601; zero for "never".
func localTime(stamp int64, zone *time.Location) time.Time {
	if stamp <= 0 {
		return time.Time{}
	}
	t := time.Unix(stamp/ticksPerSecond-epoch1601, stamp%ticksPerSecond*100).UTC()
	if t.Year() >= never {
		return time.Time{}
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}
