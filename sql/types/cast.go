package types

// CastContext says where a cast may be applied without being written.
type CastContext byte

// The contexts, as in pg_cast.castcontext, in ascending order of freedom.
const (
	CastImplicit   CastContext = 'i' // anywhere
	CastAssignment CastContext = 'a' // to the type of a target column
	CastExplicit   CastContext = 'e' // only when written
)

// CastFunc converts a value that is not NULL. to carries the target modifier,
// which the function applies; explicit casts truncate where others complain.
type CastFunc func(s *Settings, d Datum, from, to *T, explicit bool) (Datum, error)

// FindCast returns the conversion from one type to another and the widest context
// it may be used in, ok false if there is none. Casts between identical types are
// the modifier's coercion; casts from unknown are the type's input function; array casts work
// element by element; any type converts to and from text types through its
// text form.
func FindCast(from, to *T) (fn CastFunc, context CastContext, ok bool) { return nil, 0, false }

// Cast converts d explicitly from one type to another, the modifier of to
// included. NULL stays NULL.
func Cast(s *Settings, d Datum, from, to *T) (Datum, error) { return Null, nil }

// CoerceTypmod applies the modifier of t to a value of t's type. With explicit
// false, cutting off anything but blanks is an error (22001).
func CoerceTypmod(d Datum, t *T, explicit bool) (Datum, error) { return d, nil }
