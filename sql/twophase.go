package sql

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/txn"
)

// This file is PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED. Package txn
// keeps the transaction (txn/prepare.go); here its identifier is unique in the cluster
// and leads to it from every node, by a row of a system table:
//
//	'g' gid        -> preparedRow
//	'm' gid txn id -> nothing: written by the transaction itself, so that every one
//	                  has something to prepare
//
// The row is stored before the transaction's record is PREPARED, and removed after it
// is decided. So each PREPARED record has its row, and a row whose record is anything
// else is what a crash has left: it does not count, and is replaced.

// gidBytesMax is the length of an identifier, PostgreSQL's GIDSIZE - 1.
const gidBytesMax = 199

func gidKey(gid string) keys.Key {
	return append(append(catalog.SystemKey(catalog.SysPrepared), 'g'), gid...)
}

func preparedMarker(gid string, id kv.TxnID) keys.Key {
	return append(append(append(catalog.SystemKey(catalog.SysPrepared), 'm'), gid...), id[:]...)
}

// preparedRow tells where a prepared transaction is and whose.
//
//	+-----------+--------+-----------+--------------+-------------------+--------+
//	| format u8 | txn 16 | owner u32 | database u32 | prepared u64 (µs) | anchor |
//	+-----------+--------+-----------+--------------+-------------------+--------+
type preparedRow struct {
	gid      string
	id       kv.TxnID
	owner    catalog.ID
	database catalog.ID
	prepared time.Time
	anchor   keys.Key
}

const preparedFormat = 1

func (r *preparedRow) encode() []byte {
	b := append(make([]byte, 0, 33+len(r.anchor)), preparedFormat)
	b = append(b, r.id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(r.owner))
	b = binary.BigEndian.AppendUint32(b, uint32(r.database))
	b = binary.BigEndian.AppendUint64(b, uint64(r.prepared.UnixMicro()))
	return append(b, r.anchor...)
}

func decodePreparedRow(gid string, b []byte) (*preparedRow, error) {
	if len(b) < 33 || b[0] != preparedFormat {
		return nil, sqlstate.New(sqlstate.DataCorrupted, "malformed entry of prepared transaction \"%s\"", gid)
	}
	r := &preparedRow{gid: gid, id: kv.TxnID(b[1:17])}
	r.owner, r.database = catalog.ID(binary.BigEndian.Uint32(b[17:])), catalog.ID(binary.BigEndian.Uint32(b[21:]))
	r.prepared = time.UnixMicro(int64(binary.BigEndian.Uint64(b[25:])))
	r.anchor = slices.Clone(b[33:])
	return r, nil
}

// prepareTransaction executes PREPARE TRANSACTION.
func (s *Session) prepareTransaction(st *ast.PrepareTransaction) (Tag, error) {
	switch s.txn.block {
	case blockNone, blockImplicit:
		s.warning(sqlstate.NoActiveSQLTransaction, "there is no transaction in progress")
		return Tag{Name: "ROLLBACK"}, nil
	case blockFailed:
		s.abortTransaction()
		return Tag{Name: "ROLLBACK"}, nil
	}
	if err := s.prepareAs(st.ID); err != nil {
		s.abortTransaction()
		return Tag{}, err
	}
	t, coll := s.txn.kv, s.txn.coll
	coll.Release()
	s.transactionEnded(true)
	t.Close()
	return Tag{Name: "PREPARE TRANSACTION"}, nil
}

func (s *Session) prepareAs(gid string) error {
	if len(gid) > gidBytesMax {
		return sqlstate.New(sqlstate.InvalidParameterValue, "transaction identifier \"%s\" is too long", gid)
	}
	t := s.ensureTxn()
	switch {
	case s.notices.pending():
		return sqlstate.New(sqlstate.FeatureNotSupported, "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY")
	case s.holdsCursor():
		return sqlstate.New(sqlstate.FeatureNotSupported, "cannot PREPARE a transaction that has created a cursor WITH HOLD")
	case s.txn.coll.HasChanges():
		return sqlstate.Unsupported("PREPARE TRANSACTION after schema changes")
	case s.holdsTxnAdvisory():
		return sqlstate.Unsupported("PREPARE TRANSACTION with advisory locks of the transaction")
	case s.txn.asOf != 0:
		return sqlstate.Unsupported("PREPARE TRANSACTION of a transaction that reads the past")
	}
	s.closeCursors()
	if err := s.prepareCommit(); err != nil {
		return err
	}
	if err := t.Put(&s.ctx, preparedMarker(gid, t.ID()), nil); err != nil {
		return err
	}
	return t.Prepare(&s.ctx, func(ctx context.Context, id kv.TxnID, anchor keys.Key) error {
		return s.srv.reserveGID(ctx, &preparedRow{
			gid: gid, id: id, owner: s.userID, database: s.database, prepared: time.Now(), anchor: anchor,
		})
	})
}

// holdsCursor reports whether the session has a cursor WITH HOLD. Those of earlier
// transactions are not told apart.
func (s *Session) holdsCursor() bool {
	for _, p := range s.portals {
		if p.cursor != nil && p.cursor.held {
			return true
		}
	}
	return false
}

// reservationMax is how long a transaction may take from its reservation of an
// identifier to being prepared; after that another may have it.
const reservationMax = time.Minute

// reserveGID stores the row of a transaction that is about to be prepared.
func (srv *Server) reserveGID(ctx context.Context, r *preparedRow) error {
	taken := func() error {
		return sqlstate.New(sqlstate.DuplicateObject, "transaction identifier \"%s\" is already in use", r.gid)
	}
	return srv.cfg.DB.Run(ctx, txn.Options{Isolation: kv.Serializable, Name: "prepare transaction"}, func(ctx context.Context, t *txn.Txn) error {
		value, ok, err := t.Get(ctx, gidKey(r.gid), txn.Locking{Strength: kv.LockUpdate})
		if err != nil {
			return err
		}
		if ok {
			old, err := decodePreparedRow(r.gid, value)
			if err != nil {
				return err
			}
			rec, err := srv.cfg.DB.PreparedRecord(ctx, old.id, old.anchor)
			if err != nil {
				return err
			}
			if rec != nil && rec.Status == kv.TxnPrepared || time.Since(old.prepared) < reservationMax && (rec == nil || !rec.Status.Final()) {
				return taken()
			}
		}
		return t.Put(ctx, gidKey(r.gid), r.encode())
	})
}

// finishPrepared executes COMMIT PREPARED and ROLLBACK PREPARED.
func (s *Session) finishPrepared(gid string, commit bool) error {
	if s.txn.block == blockOpen || s.txn.block == blockImplicit && s.txn.queried {
		what := "ROLLBACK PREPARED"
		if commit {
			what = "COMMIT PREPARED"
		}
		return sqlstate.New(sqlstate.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	unknown := sqlstate.New(sqlstate.UndefinedObject, "prepared transaction with identifier \"%s\" does not exist", gid)
	row, err := s.srv.preparedRow(&s.ctx, gid)
	if err != nil {
		return err
	}
	if row == nil {
		return unknown
	}
	rec, err := s.srv.cfg.DB.PreparedRecord(&s.ctx, row.id, row.anchor)
	switch {
	case err != nil:
		return err
	case rec == nil, rec.Status == kv.TxnPending, rec.Status == kv.TxnAborted && commit, rec.Status == kv.TxnCommitted && !commit:
		return unknown
	case !s.superuser && !memberOf(s.collection(), s.userID, row.owner):
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to finish prepared transaction").
			WithHint("Must be superuser or the user that prepared the transaction.")
	case row.database != s.database:
		return sqlstate.New(sqlstate.FeatureNotSupported, "prepared transaction belongs to another database").
			WithHint("Connect to the database where the transaction was prepared to finish it.")
	}
	if err := s.srv.cfg.DB.FinishPrepared(&s.ctx, rec, commit); err != nil {
		if _, decided := errors.AsType[*kv.TxnAbortedError](err); decided {
			return unknown // the other way, meanwhile
		}
		return err
	}
	return s.srv.forgetGID(&s.ctx, row)
}

// preparedRow returns the row of an identifier, nil if there is none.
func (srv *Server) preparedRow(ctx context.Context, gid string) (row *preparedRow, err error) {
	err = srv.cfg.DB.Run(ctx, txn.Options{Isolation: kv.Serializable, Name: "prepared transactions"}, func(ctx context.Context, t *txn.Txn) error {
		value, ok, err := t.Get(ctx, gidKey(gid), txn.Locking{})
		if row = nil; err != nil || !ok {
			return err
		}
		row, err = decodePreparedRow(gid, value)
		return err
	})
	return row, err
}

// forgetGID removes the row of a transaction that is decided.
func (srv *Server) forgetGID(ctx context.Context, row *preparedRow) error {
	return srv.cfg.DB.Run(ctx, txn.Options{Isolation: kv.Serializable, Name: "finish prepared"}, func(ctx context.Context, t *txn.Txn) error {
		value, ok, err := t.Get(ctx, gidKey(row.gid), txn.Locking{Strength: kv.LockUpdate})
		if err != nil || !ok {
			return err
		}
		if now, err := decodePreparedRow(row.gid, value); err != nil || now.id != row.id {
			return err
		}
		return t.Delete(ctx, gidKey(row.gid))
	})
}

// Prepared implements system.Host: pg_prepared_xacts.
func (h *host) Prepared(emit func(system.PreparedTransaction) error) error {
	s := (*Session)(h)
	var list []*preparedRow
	prefix := append(catalog.SystemKey(catalog.SysPrepared), 'g')
	err := s.srv.cfg.DB.Run(&s.ctx, txn.Options{Isolation: kv.Serializable, Name: "prepared transactions"}, func(ctx context.Context, t *txn.Txn) error {
		list = list[:0]
		var rows kv.Rows
		for start := []byte(prefix); start != nil; {
			rows.Reset()
			resume, err := t.Scan(ctx, start, keys.PrefixEnd(prefix), txn.ScanOptions{}, &rows)
			if err != nil {
				return err
			}
			for pos := 0; ; {
				key, value, _, next, ok := rows.Next(pos)
				if !ok {
					break
				}
				pos = next
				row, err := decodePreparedRow(string(key[len(prefix):]), value)
				if err != nil {
					return err
				}
				list = append(list, row)
			}
			start = resume
		}
		return nil
	})
	if err != nil {
		return err
	}
	coll := s.collection()
	name := func(id catalog.ID) string {
		if d := coll.ByID(id); d != nil {
			return d.Head().Name
		}
		return ""
	}
	for _, row := range list {
		rec, err := s.srv.cfg.DB.PreparedRecord(&s.ctx, row.id, row.anchor)
		if err != nil {
			return err
		}
		if rec == nil || rec.Status != kv.TxnPrepared {
			continue
		}
		if err := emit(system.PreparedTransaction{
			XID: binary.BigEndian.Uint32(row.id[:4]) &^ (1 << 31), GID: row.gid, Prepared: row.prepared, Owner: name(row.owner), Database: name(row.database),
		}); err != nil {
			return err
		}
	}
	return nil
}
