package libgssapi_test

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/libgssapi"
)

func ExampleLoad() {
	p, err := libgssapi.Load("/opt/nowhere/libgssapi_krb5.so.2")
	if errors.Is(err, libgssapi.ErrNoLibrary) {
		fmt.Println("no library there")
		return
	}
	client := &http.Client{Transport: &negotiate.Transport{Provider: p}}
	_ = client
	// Output: no library there
}
