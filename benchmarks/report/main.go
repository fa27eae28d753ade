// Command report measures everything, and writes README.md, its plots and
// results.txt, which has what the benchmarks printed:
//
//	go run ./report
//
// It needs the peers that interop/peers.sh installs, some minutes, and a machine
// that does nothing else. With -from results.txt it measures nothing and writes
// README.md and the plots anew. results.txt is in the format of the benchmarks of
// Go, which benchstat compares.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	from := flag.String("from", "", "a `file` with results; empty measures")
	only := flag.String("only", "", "measure the groups that this `regexp` matches only, and write results to standard output")
	flag.Parse()
	if err := run(*from, *only); err != nil {
		log.Fatal("report: ", err)
	}
}

func run(from, only string) error {
	if only != "" {
		return measure(os.Stdout, only)
	}
	if from == "" {
		from = "results.txt"
		var results bytes.Buffer
		if err := measure(io.MultiWriter(&results, os.Stderr), ""); err != nil {
			return err
		}
		if err := os.WriteFile(from, results.Bytes(), 0o644); err != nil {
			return err
		}
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	res, err := parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return write(res)
}

// write makes README.md and the plots.
func write(res *results) error {
	for name, svg := range plots(res) {
		if err := os.WriteFile(filepath.Join("plots", name+".svg"), svg, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile("README.md", readme(res), 0o644); err != nil {
		return err
	}
	return summarise("../README.md", res)
}

// output is what a program prints.
func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return string(bytes.TrimSpace(out)), err
}
