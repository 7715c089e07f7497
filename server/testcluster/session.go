package testcluster

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Session is a client's connection to a node. It is used by one goroutine at a
// time.
type Session struct{ conn *pgconn.PgConn }

// Connect opens a session with a node, from the host ClientName.
func (c *Cluster) Connect(ctx context.Context, node int) (*Session, error) {
	cfg, err := pgconn.ParseConfig("host=h port=1 user=root database=defaultdb sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.TLSConfig, cfg.Fallbacks = HostName(node), nil, nil
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.clients[node-1].Dial(ctx, sqlAddr(node))
	}
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Session{conn}, nil
}

// Close ends the session.
func (s *Session) Close(ctx context.Context) { _ = s.conn.Close(ctx) }

// Broken reports whether the session is of no more use.
func (s *Session) Broken() bool { return s.conn.IsClosed() }

// InTransaction reports whether a transaction block is open, failed or not.
func (s *Session) InTransaction() bool { return s.conn.TxStatus() != 'I' }

// Exec executes statements by the simple protocol, and returns the rows of the last
// one as text; NULL is "".
func (s *Session) Exec(ctx context.Context, text string) ([][]string, error) {
	results, err := s.conn.Exec(ctx, text).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, r := range results {
		rows = rows[:0:0]
		for _, row := range r.Rows {
			out := make([]string, len(row))
			for i, v := range row {
				out[i] = string(v)
			}
			rows = append(rows, out)
		}
	}
	return rows, nil
}

// Tag executes one statement and returns its command tag, such as "UPDATE 1".
func (s *Session) Tag(ctx context.Context, text string) (string, error) {
	results, err := s.conn.Exec(ctx, text).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	return results[len(results)-1].CommandTag.String(), nil
}

// Detail returns what the server has said of an error besides its message.
func Detail(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Detail
	}
	return ""
}

// SQLState returns the code of an error that the server has reported, "" for any
// other.
func SQLState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Definite reports whether err says for sure that what was asked for has not
// happened and will not. After everything else, an error of the connection
// included, a commit may or may not have taken place.
func Definite(err error) bool {
	code := SQLState(err)
	switch sqlstate.Code(code) {
	case "", sqlstate.StatementCompletionUnknown, sqlstate.InternalError:
		return false
	}
	// 08xxx and 57P0x end the session, at whatever point it was.
	return code[:2] != "08" && code[:3] != "57P"
}
