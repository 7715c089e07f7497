package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spanlite/spanlite/server"
)

func newCert() *cobra.Command {
	var c certs
	cmd := group("cert", "Make the certificates of a cluster",
		&cobra.Command{
			Use:   "create-ca",
			Short: "Make the authority: ca.crt and ca.key",
			Args:  noArgs,
			RunE:  func(*cobra.Command, []string) error { return c.createCA() },
		},
		&cobra.Command{
			Use:   "create-node HOST [HOST...]",
			Short: "Make a node's certificate for the names and addresses it is reached by",
			Args:  cobra.MinimumNArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return c.createNode(args) },
		},
		&cobra.Command{
			Use:   "create-client ROLE",
			Short: "Make a certificate with which a role logs in",
			Args:  exactArgs("ROLE"),
			RunE:  func(_ *cobra.Command, args []string) error { return c.createClient(args[0]) },
		})
	cmd.Long = `Make the certificates of a cluster.

  spanlite cert create-ca --certs-dir=certs
  spanlite cert create-node --certs-dir=certs node1.example.com 10.0.0.1 localhost
  spanlite cert create-client --certs-dir=certs root

Every node gets ca.crt, node.crt and node.key; clients get ca.crt and their own pair.
Keep ca.key off the nodes: who has it can make a certificate for anybody.`
	f := cmd.PersistentFlags()
	f.StringVar(&c.dir, "certs-dir", "certs", "folder of the certificates")
	f.StringVar(&c.caKey, "ca-key", "", "the authority's key (default ca.key in --certs-dir)")
	f.DurationVar(&c.lifetime, "lifetime", 0, "how long the certificate is good (default 10 years for the authority, 1 year for others)")
	f.BoolVar(&c.overwrite, "overwrite", false, "replace files that exist")
	return cmd
}

// certs makes certificates in a folder.
type certs struct {
	dir, caKey string
	lifetime   time.Duration
	overwrite  bool
}

const (
	day            = 24 * time.Hour
	caLifetime     = 10 * 365 * day
	leafLifetime   = 365 * day
	certificatePEM = "CERTIFICATE"
	privateKeyPEM  = "PRIVATE KEY"
	// clockSlack is how far the clock of a machine that checks a new certificate may
	// be behind.
	clockSlack = time.Hour
)

func (c *certs) caKeyFile() string {
	if c.caKey != "" {
		return c.caKey
	}
	return filepath.Join(c.dir, "ca.key")
}

func (c *certs) createCA() error {
	cert, err := c.template("Spanlite CA", caLifetime)
	if err != nil {
		return err
	}
	cert.IsCA, cert.BasicConstraintsValid, cert.MaxPathLenZero = true, true, true
	cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return c.issue(cert, cert, key, key, filepath.Join(c.dir, "ca.crt"), c.caKeyFile())
}

func (c *certs) createNode(hosts []string) error {
	cert, err := c.template(server.NodeCertName, leafLifetime)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, h)
		}
	}
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return c.issueLeaf(cert, "node")
}

func (c *certs) createClient(role string) error {
	if role == "" || strings.ContainsAny(role, `/\`) {
		return usageError{fmt.Errorf("%q cannot be part of a file name", role)}
	}
	if role == server.NodeCertName {
		return usageError{fmt.Errorf("%q is the name of nodes' certificates", role)}
	}
	cert, err := c.template(role, leafLifetime)
	if err != nil {
		return err
	}
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return c.issueLeaf(cert, "client."+role)
}

func (c *certs) template(name string, lifetime time.Duration) (*x509.Certificate, error) {
	if c.lifetime > 0 {
		lifetime = c.lifetime
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Spanlite"}},
		NotBefore: now.Add(-clockSlack), NotAfter: now.Add(lifetime), KeyUsage: x509.KeyUsageDigitalSignature,
	}, nil
}

// issueLeaf signs a certificate with the authority's key.
func (c *certs) issueLeaf(cert *x509.Certificate, name string) error {
	ca, caKey, err := c.authority()
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return c.issue(cert, ca, key, caKey, filepath.Join(c.dir, name+".crt"), filepath.Join(c.dir, name+".key"))
}

// authority reads ca.crt and ca.key.
func (c *certs) authority() (*x509.Certificate, crypto.Signer, error) {
	certDER, err := readPEM(filepath.Join(c.dir, "ca.crt"), certificatePEM)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (first run 'spanlite cert create-ca')", err)
	}
	ca, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := readPEM(c.caKeyFile(), privateKeyPEM)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.caKeyFile(), err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: not a key that can sign", c.caKeyFile())
	}
	return ca, key, nil
}

// issue signs cert and writes it and its key.
func (c *certs) issue(cert, parent *x509.Certificate, key, signer crypto.Signer, certFile, keyFile string) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := c.write(keyFile, privateKeyPEM, keyDER, 0o600); err != nil {
		return err
	}
	if err := c.write(certFile, certificatePEM, der, 0o644); err != nil {
		return err
	}
	fmt.Printf("wrote %s and %s\n", certFile, keyFile)
	return nil
}

func (c *certs) write(file, kind string, der []byte, mode os.FileMode) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.overwrite {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(file, flags, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists; --overwrite replaces it", file)
	}
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Close())
}

func readPEM(file, kind string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no %s", file, kind)
	}
	return block.Bytes, nil
}
