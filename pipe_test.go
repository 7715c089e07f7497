package spanlite

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPipeCarriesMoreThanItHolds(t *testing.T) {
	a, b := newPipe()
	sent := bytes.Repeat([]byte("spanlite"), pipeBytesMax/4)
	done := make(chan error, 1)
	go func() {
		_, err := a.Write(sent)
		done <- errors.Join(err, a.Close())
	}()
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Equal(t, len(sent), len(got))
	require.True(t, bytes.Equal(sent, got))
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestPipeDeadlines(t *testing.T) {
	a, b := newPipe()
	defer a.Close()
	require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := a.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, b.SetWriteDeadline(time.Now().Add(time.Millisecond)))
	_, err = b.Write(make([]byte, pipeBytesMax+1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	require.NoError(t, a.SetReadDeadline(time.Time{}))
	n, err := a.Read(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, 10, n)
}
