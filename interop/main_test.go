//go:build interop

package interop_test

import (
	"os"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }
