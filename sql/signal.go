package sql

import "github.com/spanlite/spanlite/sql/catalog"

// SignalRequest is pg_cancel_backend or pg_terminate_backend, for the node that has
// the session.
type SignalRequest struct {
	PID       uint32 `json:"pid"`
	Terminate bool   `json:"terminate"`
	// User is the role that asks.
	User catalog.ID `json:"user"`
}

// SignalResult is what became of a SignalRequest.
type SignalResult uint8

// The results.
const (
	SignalNoSession SignalResult = iota
	SignalSent
	SignalNeedsSuperuser
	SignalNeedsMember
)

// Signal cancels or ends a session of this node, if the user may.
func (srv *Server) Signal(req SignalRequest) SignalResult {
	var target *Session
	srv.Sessions(func(s *Session) {
		if s.args.PID == req.PID {
			target = s
		}
	})
	if target == nil {
		return SignalNoSession
	}
	coll := catalog.NewCollection(srv.cfg.Catalog, srv.catalogDB(), nil)
	if !isSuperuser(coll, req.User) {
		switch {
		case isSuperuser(coll, target.loginUserID):
			return SignalNeedsSuperuser
		case !memberOf(coll, req.User, target.loginUserID):
			return SignalNeedsMember
		}
	}
	if req.Terminate {
		target.Terminate()
	} else {
		target.Cancel()
	}
	return SignalSent
}
