package pgwire

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"

	"github.com/jackc/pgproto3/v2"
	"github.com/xdg-go/scram"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Method is how a client proves who it is.
type Method uint8

// The methods.
const (
	// Trust lets the client in without proof.
	Trust Method = iota
	// Reject refuses the client.
	Reject
	// SCRAM asks for a password by SCRAM-SHA-256 (RFC 5802, RFC 7677).
	SCRAM
	// Certificate accepts a verified TLS client certificate whose common name
	// is the user, and falls back to SCRAM.
	Certificate
)

// Authenticator decides on log-ins. Its methods may block on the catalog and are
// safe for concurrent use.
type Authenticator interface {
	// Method returns how a user that comes from addr must authenticate.
	Method(user string, addr net.Addr, encrypted bool) (Method, error)
	// Credentials returns the stored SCRAM secret of a user; ok is false if
	// there is no such user or the user has no password. The exchange is then
	// played to its end all the same, so that a stranger cannot tell.
	Credentials(user string) (secret scram.StoredCredentials, ok bool, err error)
}

// TrustAll is the Authenticator of an insecure node.
type TrustAll struct{}

// Method implements Authenticator.
func (TrustAll) Method(string, net.Addr, bool) (Method, error) { return Trust, nil }

// Credentials implements Authenticator.
func (TrustAll) Credentials(string) (scram.StoredCredentials, bool, error) {
	return scram.StoredCredentials{}, false, nil
}

var authenticationOK pgproto3.AuthenticationOk

const scramMechanism = "SCRAM-SHA-256"

// scramAuthTypes of the Authentication message.
const (
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// authenticate runs the exchange that the Authenticator wants. AuthenticationOk
// itself is sent by startup, together with the rest of the greeting.
func (c *conn) authenticate(user string) error {
	auth := c.srv.cfg.Auth
	t, encrypted := c.nc.(*tls.Conn)
	method, err := auth.Method(user, c.nc.RemoteAddr(), encrypted)
	if err != nil {
		return err
	}
	switch method {
	case Trust:
		return nil
	case Certificate:
		if encrypted {
			if certs := t.ConnectionState().VerifiedChains; len(certs) > 0 && certs[0][0].Subject.CommonName == user {
				return nil
			}
		}
		return c.scram(user)
	case SCRAM:
		return c.scram(user)
	}
	return fatal(sqlstate.InvalidAuthorizationSpec, "no entry permits host %q, user %q", c.nc.RemoteAddr(), user)
}

// scram runs SCRAM-SHA-256 without channel binding.
func (c *conn) scram(user string) error {
	addr := throttled(c.nc.RemoteAddr())
	if err := c.throttle(addr); err != nil {
		return err
	}
	err := c.scramExchange(user)
	if e, ok := errors.AsType[*sqlstate.Error](err); ok && e.Code == sqlstate.InvalidPassword {
		c.srv.throttle.failed(addr)
	}
	return err
}

func (c *conn) scramExchange(user string) error {
	denied := fatal(sqlstate.InvalidPassword, "password authentication failed for user \"%s\"", user)
	known := false
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		secret, ok, err := c.srv.cfg.Auth.Credentials(user)
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		known = ok
		if !ok {
			return c.srv.decoyCredentials(user), nil
		}
		return secret, nil
	})
	if err != nil {
		return err
	}
	c.authRequest(authSASL, append([]byte(scramMechanism), 0, 0))
	body, err := c.passwordMessage()
	if err != nil {
		return err
	}
	d := fields{b: body}
	mechanism := string(d.cstring())
	first := d.take(int(d.int32()))
	if !d.ok() || mechanism != scramMechanism {
		return fatal(sqlstate.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	conversation := server.NewConversation()
	reply, err := conversation.Step(string(first))
	if err != nil {
		return denied
	}
	c.authRequest(authSASLContinue, []byte(reply))
	if body, err = c.passwordMessage(); err != nil {
		return err
	}
	reply, err = conversation.Step(string(body))
	if err != nil || !conversation.Valid() || !known {
		return denied
	}
	c.authRequest(authSASLFinal, []byte(reply))
	return nil
}

func (c *conn) authRequest(kind uint32, data []byte) {
	m := c.wr.begin('R')
	c.wr.out = binary.BigEndian.AppendUint32(c.wr.out, kind)
	c.wr.out = append(c.wr.out, data...)
	c.wr.end(m)
}

// passwordMessage flushes the request and returns the body of the answer.
func (c *conn) passwordMessage() ([]byte, error) {
	if err := c.wr.flush(); err != nil {
		return nil, errClientGone
	}
	typ, body, err := c.rd.next()
	if err != nil {
		return nil, err
	}
	if typ != 'p' {
		return nil, fatal(sqlstate.ProtocolViolation, "expected password response, got message type %d", typ)
	}
	if len(body) > startupBytesMax {
		return nil, fatal(sqlstate.ProtocolViolation, "invalid password packet size")
	}
	return body, nil
}
