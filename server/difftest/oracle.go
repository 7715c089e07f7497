package difftest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// errNoOracle: PostgreSQL is not installed here.
var errNoOracle = errors.New("no PostgreSQL 15 on this machine")

// oracle is a PostgreSQL server of this process's own, on a Unix socket in a
// temporary folder.
type oracle struct {
	dir string
	cmd *exec.Cmd
}

// findPostgres returns the folder of PostgreSQL 15's programs.
func findPostgres() (string, error) {
	candidates := []string{os.Getenv("PGBINDIR"), "/usr/lib/postgresql/15/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql@15/bin"}
	if path, err := exec.LookPath("postgres"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	for _, dir := range candidates {
		if dir == "" {
			continue
		}
		out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
		if err == nil && strings.Contains(string(out), " 15.") {
			return dir, nil
		}
	}
	return "", errNoOracle
}

// startOracle makes a database cluster and starts a server on it. It returns
// errNoOracle where PostgreSQL is missing.
func startOracle(ctx context.Context) (*oracle, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "difftest")
	if err != nil {
		return nil, err
	}
	o := &oracle{dir: dir}
	if err := o.start(ctx, bin); err != nil {
		return nil, errors.Join(err, o.stop())
	}
	return o, nil
}

func (o *oracle) start(ctx context.Context, bin string) error {
	attr, err := unprivileged(o.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(o.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "root", "-E", "UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8", "-A", "trust", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = o.dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(o.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	o.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", o.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "jit=off", "-c", "max_parallel_workers_per_gather=0")
	o.cmd.Dir, o.cmd.SysProcAttr, o.cmd.Stdout, o.cmd.Stderr = o.dir, attr, log, log
	if err := o.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	for {
		conn, err := pgconn.Connect(ctx, o.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		retry := time.NewTimer(20 * time.Millisecond) // the server says nothing when it is ready
		select {
		case <-ctx.Done():
			retry.Stop()
			return fmt.Errorf("connect to postgres: %w", err)
		case <-retry.C:
		}
	}
}

// unprivileged gives a folder to a user that PostgreSQL agrees to run as and returns
// how to start a process as that user: PostgreSQL refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("no user to run PostgreSQL as: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}

// url returns how to connect to a database as the superuser root.
func (o *oracle) url(database string) string {
	return "postgres:///" + database + "?user=root&sslmode=disable&host=" + url.QueryEscape(o.dir)
}

// stop ends the server and removes its folder.
func (o *oracle) stop() error {
	var errs []error
	if o.cmd != nil && o.cmd.Process != nil {
		errs = append(errs, o.cmd.Process.Signal(syscall.SIGINT))
		var exit *exec.ExitError
		if err := o.cmd.Wait(); err != nil && !errors.As(err, &exit) {
			errs = append(errs, err)
		}
	}
	if err := os.RemoveAll(o.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
