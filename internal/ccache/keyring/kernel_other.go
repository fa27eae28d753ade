//go:build !linux

package keyring

import "os"

// none is a kernel without keys.
type none struct{}

func newKernel() kernel { return none{} }

func (none) euid() int                                    { return os.Geteuid() }
func (none) persistent(int) (int, error)                  { return 0, ErrUnsupported }
func (none) id(int) (int, error)                          { return 0, ErrUnsupported }
func (none) search(int, string, string, int) (int, error) { return 0, ErrUnsupported }
func (none) read(int) ([]byte, error)                     { return nil, ErrUnsupported }
func (none) describe(int) (string, string, error)         { return "", "", ErrUnsupported }
func (none) add(string, string, []byte, int) (int, error) { return 0, ErrUnsupported }
func (none) link(int, int) error                          { return ErrUnsupported }
func (none) clear(int) error                              { return ErrUnsupported }
func (none) expire(int, int) error                        { return ErrUnsupported }
