package libgssapi

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"unsafe"
)

// identify tells whose library it is and which version, as far as that can be
// found out.
func identify(handle uintptr, path string) (vendor, string) {
	if strings.Contains(path, "GSS.framework") {
		return vendorApple, ""
	}
	if p := symbol(handle, "heimdal_version"); p != 0 {
		return vendorHeimdal, heimdalVersion(cString(readPointer(pointerTo(p))))
	}
	// The framework of MIT's for mechanisms of others; Heimdal has it under no
	// such name.
	if symbol(handle, "gssspi_mech_invoke") != 0 {
		return vendorMIT, mitVersion(handle)
	}
	return vendorUnknown, ""
}

var heimdalBrand = regexp.MustCompile(`^Heimdal ([0-9]+(?:\.[0-9]+)*)`)

// heimdalVersion is the number in "Heimdal 7.8.git20221117.28daf24".
func heimdalVersion(brand string) string {
	m := heimdalBrand.FindStringSubmatch(brand)
	if m == nil {
		return ""
	}
	return m[1]
}

// dlInfo is Dl_info.
type dlInfo struct {
	fileName unsafe.Pointer
	_        uintptr        // base address
	_        unsafe.Pointer // name of the symbol
	_        uintptr        // address of the symbol
}

// maxLibrarySize bounds what is read of a library to find its version.
const maxLibrarySize = 64 << 20

// mitVersion reads the brand in the file of libkrb5: no function tells it.
func mitVersion(handle uintptr) string {
	dladdr, krb5 := symbol(handle, "dladdr"), symbol(handle, "krb5_init_context")
	if dladdr == 0 || krb5 == 0 {
		return ""
	}
	var m memory
	defer m.release()
	info := new(dlInfo)
	if uint32(call(dladdr, krb5, pin(&m, info))) == 0 || info.fileName == nil {
		return ""
	}
	name := cString(info.fileName)
	if st, err := os.Stat(name); err != nil || st.Size() > maxLibrarySize {
		return ""
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return mitBrand(content)
}

// mitBrand finds the version in "KRB5_BRAND: krb5-1.20.1-final 1.20.1 20221115".
func mitBrand(content []byte) string {
	_, rest, found := bytes.Cut(content, []byte("KRB5_BRAND: "))
	if !found {
		return ""
	}
	line, _, _ := bytes.Cut(rest[:min(len(rest), 100)], []byte{0})
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// maxCString bounds what is believed to be a string.
const maxCString = 4096

// cString copies a string of C's; nil gives "".
func cString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for n < maxCString && *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
