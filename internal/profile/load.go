package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads files, the most important first. A file that does not exist or may
// not be read is passed over, as by MIT; if that leaves none, the error says so
// and wraps fs.ErrNotExist or fs.ErrPermission. Any other failure is an *[Error].
func Load(paths []string) (*Profile, error) {
	l := &loader{profile: &Profile{}, include: (*loader).includeFile, dir: (*loader).includeDir}
	var skipped []error
	for _, path := range paths {
		root := &node{section: true}
		err := l.file(path, root)
		if isUnavailable(err, path) {
			skipped = append(skipped, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		l.profile.roots = append(l.profile.roots, root)
	}
	if len(l.profile.roots) == 0 {
		if len(skipped) == 0 {
			skipped = []error{fs.ErrNotExist}
		}
		return nil, fmt.Errorf("no Kerberos configuration file can be read: %w", errors.Join(skipped...))
	}
	return l.profile, nil
}

// isUnavailable tells whether path itself, not a file that it includes, is
// missing or closed to us.
func isUnavailable(err error, path string) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && pe.Path == path && (errors.Is(pe, fs.ErrNotExist) || errors.Is(pe, fs.ErrPermission))
}

// file reads one file into root.
func (l *loader) file(path string, root *node) error {
	if len(l.profile.files) == maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder, want a file; includedir reads folders", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	l.profile.files = append(l.profile.files, path)
	l.active = append(l.active, path)
	defer func() { l.active = l.active[:len(l.active)-1] }()
	return l.parse(f, path, root)
}

// includeFile reads the file of an include directive.
func (l *loader) includeFile(path string, root *node) error {
	if slices.Contains(l.active, path) {
		return fmt.Errorf("%s includes itself", path)
	}
	if len(l.active) > maxIncludes {
		return fmt.Errorf("files include each other more than %d deep", maxIncludes)
	}
	if err := l.file(path, root); err != nil {
		return fmt.Errorf("include: %w", err)
	}
	return nil
}

// includeDir reads the files of a folder in the order of their names. A folder
// holds other things too, such as an editor's backups, so only names of letters,
// digits, dashes and underscores, and those that end in .conf, are read.
func (l *loader) includeDir(path string, root *node) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("includedir: %w", err)
	}
	for _, e := range entries {
		if !isConfigName(e.Name()) {
			continue
		}
		if err := l.includeFile(filepath.Join(path, e.Name()), root); err != nil {
			return err
		}
	}
	return nil
}

func isConfigName(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	if strings.HasSuffix(name, ".conf") {
		return true
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && r != '-' && r != '_'
	})
}

// Default reads the files that KRB5_CONFIG lists or, without it, the system's.
// The list is separated as PATH is. Where none of the files exists, the profile
// is empty, as MIT has it: KDCs may be found by the DNS, and who needs no
// Kerberos need not be bothered. [Profile.Missing] then tells what KRB5_CONFIG
// names.
func Default(getenv func(string) string) (*Profile, error) {
	list := getenv("KRB5_CONFIG")
	if list == "" {
		return loadPresent(systemPaths(getenv))
	}
	paths := slices.DeleteFunc(filepath.SplitList(list), func(s string) bool { return s == "" })
	if len(paths) > 0 && !slices.ContainsFunc(paths, exists) {
		return &Profile{missing: paths}, nil
	}
	p, err := Load(paths)
	if err != nil && !strings.Contains(err.Error(), list) {
		err = fmt.Errorf("KRB5_CONFIG=%s: %w", list, err)
	}
	return p, err
}

// exists reports whether there may be a file, also where we may not see it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// loadPresent reads those of the files that exist, if any.
func loadPresent(paths []string) (*Profile, error) {
	present := slices.DeleteFunc(paths, func(path string) bool { return !exists(path) })
	if len(present) == 0 {
		return &Profile{}, nil
	}
	return Load(present)
}
