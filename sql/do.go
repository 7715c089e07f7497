package sql

import (
	"errors"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// This file carries out DO for the one form that migration tools send, statements
// whose failure is to be ignored:
//
//	DO $$ BEGIN
//	  CREATE TYPE mood AS ENUM ('sad', 'ok');
//	EXCEPTION WHEN duplicate_object THEN null;
//	END $$;
//
// There is no procedural language: variables, conditions and loops are refused.

// doBlock is the code of a DO.
type doBlock struct {
	statements []parser.Statement
	// handled are the SQLSTATEs, or the first two characters of classes of them, whose
	// errors are ignored; "" is every error.
	handled []string
}

// conditionCodes are the names of conditions in PL/pgSQL that make sense here.
var conditionCodes = map[string]string{
	"others": "", "duplicate_object": "42710", "duplicate_table": "42P07", "duplicate_column": "42701", "duplicate_schema": "42P06",
	"duplicate_database": "42P04", "duplicate_function": "42723", "undefined_object": "42704", "undefined_table": "42P01",
	"undefined_column": "42703", "undefined_function": "42883", "invalid_schema_name": "3F000", "unique_violation": "23505",
	"foreign_key_violation": "23503", "check_violation": "23514", "not_null_violation": "23502", "integrity_constraint_violation": "23",
	"insufficient_privilege": "42501", "invalid_table_definition": "42P16", "dependent_objects_still_exist": "2BP01",
	"feature_not_supported": "0A000", "object_in_use": "55006", "object_not_in_prerequisite_state": "55000",
}

// doWord returns the first word of text in lower case, and the rest.
func doWord(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	end := 0
	for end < len(text) && (text[end] == '_' || text[end] >= 'a' && text[end] <= 'z' || text[end] >= 'A' && text[end] <= 'Z' || text[end] >= '0' && text[end] <= '9') {
		end++
	}
	return strings.ToLower(text[:end]), text[end:]
}

var errProcedural = sqlstate.Unsupported("DO with code in a procedural language, other than BEGIN statements EXCEPTION WHEN condition THEN null; END")

// parseDo takes the code of a DO apart.
func parseDo(code string) (*doBlock, error) {
	word, rest := doWord(code)
	if word != "begin" {
		return nil, errProcedural
	}
	// END is the last word.
	body := strings.TrimRight(strings.TrimSpace(rest), "; \t\r\n")
	if len(body) < 3 || !strings.EqualFold(body[len(body)-3:], "end") {
		return nil, errProcedural
	}
	body = body[:len(body)-3]
	b := &doBlock{}
	if i := findException(body); i >= 0 {
		if err := b.parseHandlers(body[i+len("exception"):]); err != nil {
			return nil, err
		}
		body = body[:i]
	}
	var err error
	if b.statements, err = parser.Parse(body); err != nil {
		return nil, errProcedural
	}
	return b, nil
}

// findException finds the word EXCEPTION at the beginning of a statement.
func findException(body string) int {
	const word = "exception"
	lower := strings.ToLower(body)
	for from := len(lower); ; {
		i := strings.LastIndex(lower[:from], word)
		if i < 0 {
			return -1
		}
		before := strings.TrimSpace(lower[:i])
		if next, _ := doWord(lower[i+len(word):]); next == "when" && (before == "" || strings.HasSuffix(before, ";")) {
			return i
		}
		from = i
	}
}

// parseHandlers reads WHEN condition [OR condition ...] THEN null; ...
func (b *doBlock) parseHandlers(text string) error {
	for {
		word, rest := doWord(text)
		if word == "" && strings.TrimSpace(rest) == "" {
			return nil
		}
		if word != "when" {
			return errProcedural
		}
		for {
			word, rest = doWord(rest)
			code, ok := conditionCodes[word]
			if !ok {
				return errProcedural
			}
			b.handled = append(b.handled, code)
			if word, rest = doWord(rest); word != "or" {
				break
			}
		}
		if word != "then" {
			return errProcedural
		}
		if word, rest = doWord(rest); word != "null" {
			return errProcedural
		}
		text, _ = strings.CutPrefix(strings.TrimSpace(rest), ";")
	}
}

// handles reports whether the block ignores an error.
func (b *doBlock) handles(err error) bool {
	e, ok := errors.AsType[*sqlstate.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case sqlstate.SerializationFailure, sqlstate.DeadlockDetected, sqlstate.QueryCanceled:
		return false // what ends the transaction, or is the client's wish
	}
	for _, code := range b.handled {
		if strings.HasPrefix(string(e.Code), code) {
			return true
		}
	}
	return false
}

// do executes DO: the statements in a subtransaction, whose failure is ignored if the
// block says so.
func (s *Session) do(st *ast.Do) (Tag, error) {
	tag := Tag{Name: st.Tag()}
	if st.Language != "" && st.Language != "plpgsql" {
		return tag, sqlstate.New(sqlstate.UndefinedObject, "language \"%s\" does not exist", st.Language)
	}
	b, err := parseDo(st.Code)
	if err != nil {
		return tag, err
	}
	const name = "\x00do"
	s.ensureTxn()
	block, depth := s.txn.block, len(s.txn.savepoints)
	s.txn.block = blockOpen
	err = s.savepoint(name)
	s.txn.block = block
	if err != nil {
		return tag, err
	}
	if err = s.doStatements(b); err == nil {
		s.forgetSavepoints(depth)
		return tag, nil
	}
	if !b.handles(err) {
		s.txn.savepoints = s.txn.savepoints[:depth]
		return tag, err
	}
	s.txn.block = blockOpen
	err = s.rollbackTo(name)
	s.txn.block = block
	if err == nil {
		s.forgetSavepoints(depth)
	}
	return tag, err
}

func (s *Session) doStatements(b *doBlock) error {
	for _, stmt := range b.statements {
		switch st := stmt.AST.(type) {
		case *ast.Insert, *ast.Update, *ast.Delete:
			if err := (*schemaSession)(s).Query(&s.ctx, ast.Format(st)); err != nil {
				return err
			}
		default:
			if !schemachange.Handles(st) {
				return errProcedural
			}
			if _, err := s.executeSchemaChange(st); err != nil {
				return err
			}
		}
	}
	return nil
}
