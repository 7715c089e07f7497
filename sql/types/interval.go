package types

// Interval is a span of time in PostgreSQL's three independent parts: a month has
// no fixed number of days, nor a day one of hours.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

// TimeTZ is a time of day with a zone.
type TimeTZ struct {
	Micros int64 // local time since midnight, 0..24h inclusive
	Zone   int32 // seconds west of Greenwich, as PostgreSQL keeps it
}
