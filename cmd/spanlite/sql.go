package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// defaultURL is where a node on this machine listens.
const defaultURL = "postgresql://root@127.0.0.1:7432/defaultdb?sslmode=prefer"

func newSQL() *cobra.Command {
	var execute []string
	var format string
	cmd := &cobra.Command{
		Use:   "sql [URL]",
		Short: "An SQL shell for where psql is not installed",
		Long: `An SQL shell. The server is the URL given, or $SPANLITE_URL, or what the usual
PG* variables say, or a node on this machine.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := shellURL(args)
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			sh, err := openShell(ctx, target, os.Stdout)
			if err != nil {
				return err
			}
			defer sh.close()
			sh.format = format
			for _, text := range execute {
				if err := sh.run(ctx, text); err != nil {
					return err
				}
			}
			if len(execute) > 0 {
				return nil
			}
			return sh.loop(ctx, os.Stdin)
		},
	}
	cmd.Flags().StringArrayVarP(&execute, "execute", "e", nil, "run these statements and exit")
	addFormat(cmd, &format)
	return cmd
}

// shellURL returns the server to connect to.
func shellURL(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	if u := os.Getenv("SPANLITE_URL"); u != "" {
		return u
	}
	u, _ := url.Parse(defaultURL)
	host, port := "127.0.0.1", "7432"
	if v := os.Getenv("PGHOST"); v != "" {
		host = v
	}
	if v := os.Getenv("PGPORT"); v != "" {
		port = v
	}
	u.Host = host + ":" + port
	if v := os.Getenv("PGUSER"); v != "" {
		u.User = url.User(v)
	}
	if v := os.Getenv("PGDATABASE"); v != "" {
		u.Path = "/" + v
	}
	return u.String()
}

// shell is one connection with a prompt.
type shell struct {
	conn   *pgconn.PgConn
	out    io.Writer
	format string
	prompt string
}

func openShell(ctx context.Context, target string, out io.Writer) (*shell, error) {
	cfg, err := pgconn.ParseConfig(target)
	if err != nil {
		return nil, usageError{err}
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		fmt.Fprintf(os.Stderr, "%s:  %s\n", n.Severity, n.Message)
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &shell{conn: conn, out: out, format: "table", prompt: cfg.Database}, nil
}

func (s *shell) close() { s.conn.Close(context.Background()) }

// loop reads statements until the end of input. Errors of statements are shown;
// with input from a file or pipe the first one ends the loop.
func (s *shell) loop(ctx context.Context, in *os.File) error {
	interactive := term.IsTerminal(int(in.Fd()))
	if interactive {
		fmt.Fprintf(s.out, "spanlite shell. End statements with ;  \\q quits, \\? helps.\n")
	}
	var pending strings.Builder
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for {
		if interactive {
			mark := "=> "
			if pending.Len() > 0 {
				mark = "-> "
			} else if s.conn.TxStatus() == 'T' {
				mark = "=*> "
			} else if s.conn.TxStatus() == 'E' {
				mark = "=!> "
			}
			fmt.Fprint(s.out, s.prompt, mark)
		}
		if !lines.Scan() {
			break
		}
		line := lines.Text()
		if pending.Len() == 0 && strings.HasPrefix(strings.TrimSpace(line), `\`) {
			if quit := s.meta(ctx, strings.TrimSpace(line)); quit {
				return nil
			}
			continue
		}
		pending.WriteString(line)
		pending.WriteByte('\n')
		if !statementComplete(pending.String()) {
			continue
		}
		text := pending.String()
		pending.Reset()
		if err := s.interruptible(ctx, text); err != nil {
			if s.conn.IsClosed() || !interactive {
				return err
			}
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if strings.TrimSpace(pending.String()) != "" {
		return s.run(ctx, pending.String())
	}
	return nil
}

// interruptible runs a text; Ctrl-C cancels it on the server.
func (s *shell) interruptible(ctx context.Context, text string) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-interrupts:
			if err := s.conn.CancelRequest(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "cancel:", err)
			}
		case <-done:
		}
	}()
	err := s.run(ctx, text)
	signal.Stop(interrupts)
	close(done)
	<-finished
	return err
}

// meta runs a backslash command and reports whether to quit.
func (s *shell) meta(ctx context.Context, line string) (quit bool) {
	query := ""
	switch strings.Fields(line)[0] {
	case `\q`:
		return true
	case `\d`, `\dt`:
		query = "SELECT schemaname AS schema, tablename AS name FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
	case `\l`:
		query = "SELECT datname AS name FROM pg_catalog.pg_database ORDER BY 1"
	case `\?`, `\h`:
		fmt.Fprintln(s.out, `  \d, \dt  tables
  \l       databases
  \q       quit
For everything else psql is the better shell.`)
		return false
	default:
		fmt.Fprintf(os.Stderr, "invalid command %s; try \\?\n", line)
		return false
	}
	if err := s.run(ctx, query); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return false
}

// run executes a text and prints its results.
func (s *shell) run(ctx context.Context, text string) error {
	results := s.conn.Exec(ctx, text)
	for results.NextResult() {
		r := results.ResultReader()
		if fields := r.FieldDescriptions(); len(fields) > 0 {
			var t table
			for _, f := range fields {
				t.columns = append(t.columns, f.Name)
			}
			for r.NextRow() {
				row := make([]string, len(fields))
				for i, v := range r.Values() {
					row[i] = string(v)
				}
				t.rows = append(t.rows, row)
			}
			if _, err := r.Close(); err == nil {
				if err := t.print(s.out, s.format); err != nil {
					return err
				}
			}
			continue
		}
		if tag, err := r.Close(); err == nil && s.format == "table" {
			fmt.Fprintln(s.out, tag.String())
		}
	}
	return describeError(results.Close())
}

// describeError adds detail and hint to a server's error.
func describeError(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	text := fmt.Sprintf("%s:  %s (%s)", e.Severity, e.Message, e.Code)
	if e.Detail != "" {
		text += "\nDETAIL:  " + e.Detail
	}
	if e.Hint != "" {
		text += "\nHINT:  " + e.Hint
	}
	return errors.New(text)
}

// statementComplete reports whether a text ends with a semicolon that stands
// outside of quotes, dollar quotes and comments.
func statementComplete(text string) bool {
	complete := false
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch c := text[i]; {
		case c == '\'' || c == '"':
			n := strings.IndexByte(rest[1:], c)
			if n < 0 {
				return false
			}
			i += n + 1
			complete = false
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				return complete
			}
			i += n
		case strings.HasPrefix(rest, "/*"):
			depth, j := 1, 2
			for ; j < len(rest) && depth > 0; j++ {
				if strings.HasPrefix(rest[j:], "/*") {
					depth++
					j++
				} else if strings.HasPrefix(rest[j:], "*/") {
					depth--
					j++
				}
			}
			if depth > 0 {
				return false
			}
			i += j - 1
		case c == '$':
			if n := strings.IndexByte(rest[1:], '$'); n >= 0 && isDollarTag(rest[1:1+n]) {
				tag := rest[:n+2]
				end := strings.Index(rest[len(tag):], tag)
				if end < 0 {
					return false
				}
				i += 2*len(tag) + end - 1
			}
			complete = false
		case c == ';':
			complete = true
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		default:
			complete = false
		}
	}
	return complete
}

func isDollarTag(s string) bool {
	for i, c := range s {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}
