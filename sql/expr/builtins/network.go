package builtins

import (
	"net/netip"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// contains reports whether network a contains b; equal networks only if orEqual.
func networkContains(a, b datum, orEqual bool) bool {
	aa, an := a.Inet()
	ba, bn := b.Inet()
	if aa.BitLen() != ba.BitLen() || an > bn || !orEqual && an == bn {
		return false
	}
	p, err := aa.Prefix(an)
	return err == nil && p.Contains(ba)
}

// maskOf returns the netmask or, inverted, the hostmask of a prefix.
func maskOf(bitLen, bits int, invert bool) netip.Addr {
	b := make([]byte, bitLen/8)
	for i := range b {
		ones := min(max(bits-8*i, 0), 8)
		b[i] = byte(0xff) << (8 - ones)
		if invert {
			b[i] = ^b[i]
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func networkFunctions() []*expr.Function {
	addr1 := func(name string, ret *types.T, f func(netip.Addr, int) datum) *expr.Function {
		return fn1(name, ret, inet, func(_ *ctx, a datum) (datum, error) {
			addr, bits := a.Inet()
			return f(addr, bits), nil
		})
	}
	setMask := func(t *types.T) func(*ctx, datum, datum) (datum, error) {
		return func(_ *ctx, a, b datum) (datum, error) {
			addr, _ := a.Inet()
			n := int(b.Int())
			if n == -1 {
				n = addr.BitLen()
			}
			if n < 0 || n > addr.BitLen() {
				return null, errArgument("invalid mask length: %d", n)
			}
			if t == cidr {
				p, _ := addr.Prefix(n)
				addr = p.Addr()
			}
			return types.NewInet(addr, n), nil
		}
	}
	return []*expr.Function{
		addr1("host", text, func(a netip.Addr, _ int) datum { return str(a.String()) }),
		addr1("text", text, func(a netip.Addr, n int) datum { return str(a.String() + "/" + itoa(n)) }),
		addr1("masklen", int4, func(_ netip.Addr, n int) datum { return types.NewInt(int64(n)) }),
		addr1("family", int4, func(a netip.Addr, _ int) datum {
			if a.Is4() {
				return types.NewInt(4)
			}
			return types.NewInt(6)
		}),
		addr1("network", cidr, func(a netip.Addr, n int) datum {
			p, _ := a.Prefix(n)
			return types.NewInet(p.Addr(), n)
		}),
		addr1("netmask", inet, func(a netip.Addr, n int) datum { return types.NewInet(maskOf(a.BitLen(), n, false), a.BitLen()) }),
		addr1("hostmask", inet, func(a netip.Addr, n int) datum { return types.NewInet(maskOf(a.BitLen(), n, true), a.BitLen()) }),
		addr1("broadcast", inet, func(a netip.Addr, n int) datum {
			b, mask := a.AsSlice(), maskOf(a.BitLen(), n, true).AsSlice()
			for i := range b {
				b[i] |= mask[i]
			}
			out, _ := netip.AddrFromSlice(b)
			return types.NewInet(out, n)
		}),
		fn1("abbrev", text, inet, func(ec *ctx, a datum) (datum, error) { return str(types.TextOf(inet, a, ec.Settings)), nil }),
		fn2("set_masklen", inet, inet, int4, setMask(inet)), fn2("set_masklen", cidr, cidr, int4, setMask(cidr)),
		fn2("inet_same_family", boolean, inet, inet, func(_ *ctx, a, b datum) (datum, error) {
			x, _ := a.Inet()
			y, _ := b.Inet()
			return types.NewBool(x.BitLen() == y.BitLen()), nil
		}),
	}
}

func networkOperators() []*expr.Operator {
	rel := func(name string, f func(a, b datum) bool) *expr.Operator {
		return op2(name, inet, inet, boolean, func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(f(a, b)), nil })
	}
	return []*expr.Operator{
		rel("<<", func(a, b datum) bool { return networkContains(b, a, false) }),
		rel("<<=", func(a, b datum) bool { return networkContains(b, a, true) }),
		rel(">>", func(a, b datum) bool { return networkContains(a, b, false) }),
		rel(">>=", func(a, b datum) bool { return networkContains(a, b, true) }),
		rel("&&", func(a, b datum) bool { return networkContains(a, b, true) || networkContains(b, a, true) }),
	}
}
