package main

import (
	"io"
	"os"
)

// output is standard output, or a file that is made when there is something to
// write.
type output struct {
	name   string // empty or "-" for standard output
	stdout io.Writer
	file   *os.File
}

// outputError is a failure to write, as opposed to one to read.
type outputError struct{ err error }

func (e *outputError) Error() string { return "writing the output: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// open makes the file. Calling it twice is harmless.
func (o *output) open() error {
	if o.name == "" || o.name == "-" || o.file != nil {
		return nil
	}
	var err error
	if o.file, err = os.Create(o.name); err != nil {
		return &outputError{err}
	}
	return nil
}

// Write opens the file if it is not open yet.
func (o *output) Write(b []byte) (int, error) {
	if err := o.open(); err != nil {
		return 0, err
	}
	w := o.stdout
	if o.file != nil {
		w = o.file
	}
	n, err := w.Write(b)
	if err != nil {
		err = &outputError{err}
	}
	return n, err
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil {
		return &outputError{err}
	}
	return nil
}
