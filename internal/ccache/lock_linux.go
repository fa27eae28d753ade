package ccache

// setLock is F_OFD_SETLK: a lock that belongs to the open file. An ordinary
// POSIX lock belongs to the process, and would be lost as soon as anything else
// in the process closes the same file. MIT uses these locks too, and the two
// kinds exclude each other.
const setLock = 37
