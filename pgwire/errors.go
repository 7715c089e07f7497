package pgwire

import (
	"errors"
	"strconv"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// errorMessage appends an ErrorResponse ('E') or NoticeResponse ('N').
//
// The caller has turned any error into an *sqlstate.Error with its position in
// characters (sql.Session does); one that is none is a bug and shows as XX000.
func (w *writer) errorMessage(typ byte, err error) {
	e, ok := errors.AsType[*sqlstate.Error](err)
	if !ok {
		e = &sqlstate.Error{Code: sqlstate.InternalError, Message: err.Error()}
	}
	severity := e.Severity
	if severity == "" {
		severity = "ERROR"
	}
	m := w.begin(typ)
	w.errorField('S', severity)
	w.errorField('V', severity)
	w.errorField('C', string(e.Code))
	w.errorField('M', e.Message)
	w.errorField('D', e.Detail)
	w.errorField('H', e.Hint)
	if e.Position > 0 {
		w.errorField('P', strconv.Itoa(e.Position))
	}
	w.errorField('W', e.Where)
	w.errorField('s', e.Schema)
	w.errorField('t', e.Table)
	w.errorField('c', e.Column)
	w.errorField('d', e.DataType)
	w.errorField('n', e.Constraint)
	if e.Code == sqlstate.FeatureNotSupported && e.Message == stalePlan {
		w.errorField('R', stalePlanRoutine)
	}
	w.out = append(w.out, 0)
	w.end(m)
}

// pgjdbc and ActiveRecord know by the name of the routine that raised it in PostgreSQL
// that preparing a statement again will help.
const (
	stalePlan        = "cached plan must not change result type"
	stalePlanRoutine = "RevalidateCachedQuery"
)

// errorField appends one field; an empty one is left out.
func (w *writer) errorField(code byte, value string) {
	if value == "" {
		return
	}
	w.out = append(w.out, code)
	for i := range len(value) {
		// A zero byte would end the field early and desynchronise the client.
		if value[i] != 0 {
			w.out = append(w.out, value[i])
		}
	}
	w.out = append(w.out, 0)
}
