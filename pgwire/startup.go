package pgwire

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Request codes of the untyped start-up packets.
const (
	protocolMajor3 = 3
	codeCancel     = 80877102
	codeSSL        = 80877103
	codeGSSEnc     = 80877104
)

// errNoSession ends a connection that was not meant to have a session.
var errNoSession = errors.New("no session wanted")

// startup negotiates encryption and version, authenticates the client and opens
// its session. On errNoSession the connection just ends.
func (c *conn) startup() error {
	c.nc.SetDeadline(time.Now().Add(c.srv.cfg.AuthTimeout))
	var args sql.SessionArgs
	for tries := 0; ; tries++ {
		body, err := c.rd.nextStartup()
		if err != nil {
			if err == io.EOF {
				return errNoSession
			}
			return err
		}
		code := binary.BigEndian.Uint32(body)
		switch {
		case code == codeSSL && tries < 2:
			if err := c.answerSSL(); err != nil {
				return err
			}
			continue
		case code == codeGSSEnc && tries < 2:
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		case code == codeCancel:
			if len(body) == 12 {
				c.srv.cancel(binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:]))
			}
			return errNoSession
		case code>>16 != protocolMajor3:
			return fatal(sqlstate.FeatureNotSupported,
				"unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xffff)
		}
		unknown, err := parseStartupParameters(body[4:], &args)
		if err != nil {
			return err
		}
		if code&0xffff != 0 || len(unknown) > 0 {
			c.negotiateVersion(unknown)
		}
		break
	}
	if args.User == "" {
		return fatal(sqlstate.InvalidAuthorizationSpec, "no PostgreSQL user name specified in startup packet")
	}
	if args.Database == "" {
		args.Database = args.User
		if args.User == sql.RootUser {
			args.Database = sql.DefaultDatabase
		}
	}
	if n := c.srv.Connections(); n > c.srv.cfg.MaxConnections {
		return fatal(sqlstate.TooManyConnections, "sorry, too many clients already").
			WithDetail("The limit is %d connections.", c.srv.cfg.MaxConnections)
	}
	if err := c.authenticate(args.User); err != nil {
		return err
	}
	c.srv.register(c)
	args.RemoteAddr = c.nc.RemoteAddr().String()
	args.PID = c.pid
	session, err := c.srv.cfg.SQL.NewSession(c.ctx, args, c)
	if err != nil {
		return err
	}
	session.SetWake(c.wake)
	c.session.Store(session)
	c.wr.message(&authenticationOK)
	for _, p := range session.ParameterStatuses() {
		c.wr.parameterStatus(p.Name, p.Value)
	}
	m := c.wr.begin('K')
	c.wr.uint32(c.pid)
	c.wr.uint32(c.secret)
	c.wr.end(m)
	c.wr.readyForQuery(session.TxnStatus())
	if err := c.wr.flush(); err != nil {
		return err
	}
	return c.nc.SetDeadline(time.Time{})
}

// answerSSL accepts or refuses an SSLRequest, and on acceptance replaces the
// socket by its TLS form.
func (c *conn) answerSSL() error {
	_, already := c.nc.(*tls.Conn)
	if c.srv.cfg.TLS == nil || already {
		_, err := c.nc.Write([]byte{'N'})
		return err
	}
	// Bytes sent before the handshake would be taken for encrypted ones
	// (CVE-2021-23214).
	if c.rd.buffered() {
		return fatal(sqlstate.ProtocolViolation, "received unencrypted data after SSL request")
	}
	if _, err := c.nc.Write([]byte{'S'}); err != nil {
		return err
	}
	t := tls.Server(c.nc, c.srv.cfg.TLS)
	if err := t.HandshakeContext(c.ctx); err != nil {
		return errNoSession
	}
	c.setConn(t)
	return nil
}

// negotiateVersion tells a newer client that 3.0 is spoken here, and which
// protocol options ("_pq_.") were not understood.
func (c *conn) negotiateVersion(unknown []string) {
	m := c.wr.begin('v')
	c.wr.int32(0)
	c.wr.int32(int32(len(unknown)))
	for _, name := range unknown {
		c.wr.cstring(name)
	}
	c.wr.end(m)
}

// parseStartupParameters fills args and returns the names of unknown protocol
// options.
func parseStartupParameters(b []byte, args *sql.SessionArgs) (unknown []string, err error) {
	d := fields{b: b}
	for {
		name := string(d.cstring())
		if d.bad {
			return nil, fatal(sqlstate.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
		}
		if name == "" {
			break
		}
		value := string(d.cstring())
		if d.bad {
			return nil, fatal(sqlstate.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
		}
		switch {
		case name == "user":
			args.User = value
		case name == "database":
			args.Database = value
		case name == "options":
			settings, err := parseOptions(value)
			if err != nil {
				return nil, err
			}
			args.Settings = append(args.Settings, settings...)
		case name == "replication":
			switch strings.ToLower(value) {
			case "", "false", "off", "no", "0", "f", "n":
			default:
				return nil, fatal(sqlstate.FeatureNotSupported, "replication connections are not supported")
			}
		case strings.HasPrefix(name, "_pq_."):
			unknown = append(unknown, name)
		default:
			args.Settings = append(args.Settings, sql.Setting{Name: name, Value: value})
		}
	}
	return unknown, nil
}

// parseOptions reads the "-c name=value" and "--name=value" words of the options
// parameter. A backslash quotes the next character.
func parseOptions(s string) ([]sql.Setting, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			inWord = true
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f' || ch == '\v':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(ch)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	var settings []sql.Setting
	for i := 0; i < len(words); i++ {
		w := words[i]
		var assignment string
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			assignment = words[i]
		case strings.HasPrefix(w, "--"):
			assignment = w[2:]
		case strings.HasPrefix(w, "-c") && len(w) > 2:
			assignment = w[2:]
		default:
			return nil, fatal(sqlstate.SyntaxError, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(assignment, "=")
		if !ok {
			return nil, fatal(sqlstate.SyntaxError, "-c %s requires a value", assignment)
		}
		settings = append(settings, sql.Setting{Name: strings.ReplaceAll(name, "-", "_"), Value: value})
	}
	return settings, nil
}

// fatal returns an error that ends the connection.
func fatal(code sqlstate.Code, format string, args ...any) *sqlstate.Error {
	e := sqlstate.New(code, format, args...)
	e.Severity = "FATAL"
	return e
}

// isTimeout reports whether err is a socket deadline that passed.
func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
