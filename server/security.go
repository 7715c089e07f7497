package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xdg-go/scram"

	"github.com/spanlite/spanlite/pgwire"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/catalog"
)

// NodeCertName is the common name of nodes' certificates, and of the certificate
// of an administrator's connection to the nodes' port, which root's is good for
// too.
const NodeCertName = "node"

// certReload is how often at most the certificate's file is looked at.
const certReload = time.Second

// certificates are ca.crt, node.crt and node.key of a folder. The pair is read
// again when its file has changed, so that a renewal needs no restart.
type certificates struct {
	certFile, keyFile string
	roots             *x509.CertPool

	mu      sync.Mutex
	current *tls.Certificate
	modTime time.Time
	looked  time.Time
}

// openCertificates reads the files of a folder. Name is the pair's file name
// without its ending.
func openCertificates(dir, name string) (*certificates, error) {
	c := &certificates{certFile: filepath.Join(dir, name+".crt"), keyFile: filepath.Join(dir, name+".key"), roots: x509.NewCertPool()}
	ca := filepath.Join(dir, "ca.crt")
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--certs-dir: %w", err)
	}
	if !c.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--certs-dir: %s holds no certificate", ca)
	}
	if info, err := os.Stat(c.keyFile); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("--certs-dir: %s may be read by others (mode %#o); want 0600", c.keyFile, info.Mode().Perm())
	}
	if _, err := c.load(); err != nil {
		return nil, fmt.Errorf("--certs-dir: %w", err)
	}
	return c, nil
}

// load returns the pair, reading it if its file is newer. If the new one cannot
// be read the old one stays: it is being replaced.
func (c *certificates) load() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.current != nil && now.Sub(c.looked) < certReload {
		return c.current, nil
	}
	c.looked = now
	info, err := os.Stat(c.certFile)
	if err == nil && c.current != nil && info.ModTime().Equal(c.modTime) {
		return c.current, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile); err == nil {
			c.current, c.modTime = &pair, info.ModTime()
			return c.current, nil
		}
	}
	if c.current != nil {
		return c.current, nil
	}
	return nil, err
}

func (c *certificates) server(auth tls.ClientAuthType) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: auth, ClientCAs: c.roots,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.load() },
	}
}

func (c *certificates) client() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: c.roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.load() },
	}
}

// nodeTLS returns how nodes talk to each other: both sides show a certificate of
// the cluster's authority, made out to a node or, for administration, to root.
// Nil without --certs-dir.
func (n *Node) nodeTLS() (server, client *tls.Config, err error) {
	if n.cfg.CertsDir == "" {
		return nil, nil, nil
	}
	certs, err := openCertificates(n.cfg.CertsDir, "node")
	if err != nil {
		return nil, nil, err
	}
	server = certs.server(tls.RequireAndVerifyClientCert)
	server.VerifyConnection = func(s tls.ConnectionState) error {
		switch name := s.PeerCertificates[0].Subject.CommonName; name {
		case NodeCertName, sql.RootUser:
			return nil
		default:
			return fmt.Errorf("the certificate of %q does not permit administration", name)
		}
	}
	client = certs.client()
	client.VerifyConnection = func(s tls.ConnectionState) error {
		if name := s.PeerCertificates[0].Subject.CommonName; name != NodeCertName {
			return fmt.Errorf("the server's certificate is of %q, not of a node", name)
		}
		return nil
	}
	return server, client, nil
}

// AdminTLS returns how an administrator connects to a node: with root's
// certificate of a folder, or if there is none with a node's.
func AdminTLS(certsDir string) (*tls.Config, error) {
	name := "client." + sql.RootUser
	if _, err := os.Stat(filepath.Join(certsDir, name+".crt")); errors.Is(err, os.ErrNotExist) {
		name = "node"
	}
	certs, err := openCertificates(certsDir, name)
	if err != nil {
		return nil, err
	}
	return certs.client(), nil
}

// clientSecurity returns how SQL clients prove who they are, and the encryption
// they are offered.
func (n *Node) clientSecurity() (pgwire.Authenticator, *tls.Config, error) {
	if n.cfg.CertsDir == "" {
		return pgwire.TrustAll{}, nil, nil
	}
	certs, err := openCertificates(n.cfg.CertsDir, "node")
	if err != nil {
		return nil, nil, err
	}
	return &authenticator{catalog: n.catalog}, certs.server(tls.VerifyClientCertIfGiven), nil
}

// authenticator lets in who has a client certificate for the name or knows the
// role's password; root needs a certificate, and nobody is served in clear.
type authenticator struct{ catalog catalog.Source }

// Method implements pgwire.Authenticator.
func (a *authenticator) Method(_ string, _ net.Addr, encrypted bool) (pgwire.Method, error) {
	if !encrypted {
		return pgwire.Reject, nil
	}
	return pgwire.Certificate, nil
}

// authTimeout bounds the look at the catalog for a log-in.
const authTimeout = 10 * time.Second

// Credentials implements pgwire.Authenticator.
func (a *authenticator) Credentials(user string) (scram.StoredCredentials, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), authTimeout)
	defer cancel()
	role, err := a.role(ctx, user)
	if err != nil || role == nil || user == sql.RootUser || !role.Login || role.Password == "" || expired(role) {
		return scram.StoredCredentials{}, false, err
	}
	secret, err := parseVerifier(role.Password)
	if err != nil {
		return scram.StoredCredentials{}, false, fmt.Errorf("role %q: %w", user, err)
	}
	return secret, true, nil
}

func expired(r *catalog.Role) bool {
	return r.ValidUntil != 0 && time.Now().UnixMicro()-postgresEpochMicros > r.ValidUntil
}

// role returns the role with a name, nil if there is none. A role that the
// node's image of the catalog does not have may be a few milliseconds old.
func (a *authenticator) role(ctx context.Context, name string) (*catalog.Role, error) {
	if r := findRole(a.catalog.Snapshot(), name); r != nil {
		return r, nil
	}
	if err := a.catalog.Refresh(ctx); err != nil {
		return nil, err
	}
	return findRole(a.catalog.Snapshot(), name), nil
}

func findRole(s *catalog.Snapshot, name string) (role *catalog.Role) {
	s.All(func(d catalog.Descriptor) bool {
		if r, ok := d.(*catalog.Role); ok && r.Name == name {
			role = r
		}
		return role == nil
	})
	return role
}

// parseVerifier reads PostgreSQL's form of a SCRAM secret:
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, in base64.
func parseVerifier(s string) (c scram.StoredCredentials, err error) {
	malformed := errors.New("the stored password is not a SCRAM-SHA-256 verifier")
	parts := strings.Split(s, "$")
	if len(parts) != 3 || parts[0] != "SCRAM-SHA-256" {
		return c, malformed
	}
	iterations, salt, ok := strings.Cut(parts[1], ":")
	stored, server, ok2 := strings.Cut(parts[2], ":")
	if !ok || !ok2 {
		return c, malformed
	}
	if c.Iters, err = strconv.Atoi(iterations); err != nil || c.Iters < 1 {
		return c, malformed
	}
	rawSalt, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		return c, malformed
	}
	c.Salt = string(rawSalt)
	if c.StoredKey, err = base64.StdEncoding.DecodeString(stored); err != nil || len(c.StoredKey) != sha256.Size {
		return c, malformed
	}
	if c.ServerKey, err = base64.StdEncoding.DecodeString(server); err != nil || len(c.ServerKey) != sha256.Size {
		return c, malformed
	}
	return c, nil
}
