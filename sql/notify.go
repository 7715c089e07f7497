package sql

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// notifications is a session's part in LISTEN and NOTIFY.
type notifications struct{}

func (n *notifications) transactionEnded(committed bool) {}
func (n *notifications) unlistenAll()                    {}

// DeliverNotifications sends what has arrived; called between statements.
func (s *Session) DeliverNotifications() {}

// notifyStatement executes LISTEN, UNLISTEN and NOTIFY.
func (s *Session) notifyStatement(st ast.Statement) error {
	if _, ok := st.(*ast.Unlisten); ok {
		return nil // nothing is listened to
	}
	return sqlstate.Unsupported("%s", st.Tag())
}
