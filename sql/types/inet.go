package types

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// An inet or cidr value is held as
//
//	prefix length  1 byte
//	address        4 or 16 bytes
//
// The families are told apart by the length.

// NewInet returns an inet value.
func NewInet(addr netip.Addr, bits int) Datum {
	return NewBytesOf(FamInet, append([]byte{byte(bits)}, addr.AsSlice()...))
}

// Inet returns the address and prefix length of an inet or cidr.
func (d Datum) Inet() (addr netip.Addr, bits int) {
	b := d.Bytes()
	addr, _ = netip.AddrFromSlice(b[1:])
	return addr, int(b[0])
}

func compareInet(a, b []byte) int {
	if len(a) != len(b) {
		return cmpInt(int64(len(a)), int64(len(b)))
	}
	common := int(min(a[0], b[0]))
	whole := common / 8
	if c := bytes.Compare(a[1:1+whole], b[1:1+whole]); c != 0 {
		return c
	}
	if r := common % 8; r != 0 {
		mask := byte(0xff) << (8 - r)
		if x, y := a[1+whole]&mask, b[1+whole]&mask; x != y {
			return cmpInt(int64(x), int64(y))
		}
	}
	if a[0] != b[0] {
		return cmpInt(int64(a[0]), int64(b[0]))
	}
	return bytes.Compare(a[1:], b[1:])
}

func parseInet(text string, cidr bool) (Datum, error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	addrText, bitsText, hasBits := strings.Cut(trimSpace(text), "/")
	if cidr {
		// Missing octets of a network are zero.
		for n := strings.Count(addrText, "."); n < 3 && !strings.Contains(addrText, ":"); n++ {
			addrText += ".0"
		}
	}
	addr, err := netip.ParseAddr(addrText)
	if err != nil || addr.Zone() != "" {
		return Null, errInvalidInput(name, text)
	}
	if addr.Is4In6() && !strings.Contains(addrText, ":") {
		addr = addr.Unmap()
	}
	bits := addr.BitLen()
	if hasBits {
		n, err := strconv.Atoi(bitsText)
		if err != nil || n < 0 || n > bits {
			return Null, errInvalidInput(name, text)
		}
		bits = n
	} else if cidr && addr.Is4() && strings.Count(text, ".") < 3 {
		bits = 8 * (strings.Count(text, ".") + 1)
	}
	if cidr {
		if p := netip.PrefixFrom(addr, bits); p.Masked().Addr() != addr {
			return Null, sqlstate.New(sqlstate.InvalidTextRepresentation, "invalid cidr value: \"%s\"", text).
				WithDetail("Value has bits set to right of mask.")
		}
	}
	return NewInet(addr, bits), nil
}

func appendInet(dst []byte, d Datum, cidr bool) []byte {
	addr, bits := d.Inet()
	dst = addr.AppendTo(dst)
	if cidr || bits != addr.BitLen() {
		dst = strconv.AppendInt(append(dst, '/'), int64(bits), 10)
	}
	return dst
}

// The address families of the binary form.
const (
	inetV4 = 2
	inetV6 = 3
)

func appendInetBinary(dst []byte, d Datum, cidr bool) []byte {
	b := d.Bytes()
	fam, isCidr := byte(inetV4), byte(0)
	if len(b) == 17 {
		fam = inetV6
	}
	if cidr {
		isCidr = 1
	}
	dst = append(dst, fam, b[0], isCidr, byte(len(b)-1))
	return append(dst, b[1:]...)
}

func parseInetBinary(buf []byte, cidr bool) (Datum, error) {
	if len(buf) < 4 || len(buf) != 4+int(buf[3]) || buf[0] == inetV4 && buf[3] != 4 || buf[0] == inetV6 && buf[3] != 16 ||
		buf[0] != inetV4 && buf[0] != inetV6 || int(buf[1]) > 8*int(buf[3]) {
		return Null, errBinary("invalid address family, length or bits in external \"inet\" value")
	}
	addr, _ := netip.AddrFromSlice(buf[4:])
	if cidr && netip.PrefixFrom(addr, int(buf[1])).Masked().Addr() != addr {
		return Null, errBinary("invalid external \"cidr\" value")
	}
	return NewInet(addr, int(buf[1])), nil
}
