package conn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/internal/conn"
)

// setup is one engine on one kind of connection that it must serve. All tests
// of this package that call everywhere are the contract of an engine.
type setup struct {
	name   string
	engine conn.Engine
	pair   func(t *testing.T) (server, client net.Conn)
	bubble bool // in memory: runs inside synctest, where time costs nothing
}

// setups are the rows that the contract is run over; a new engine adds its own.
var setups = []setup{
	{name: "portable over a pipe", engine: conn.Portable, pair: pipePair, bubble: true},
	{name: "portable over TCP", engine: conn.Portable, pair: tcpPair},
	{name: "portable over TLS", engine: conn.Portable, pair: tlsPair},
}

// everywhere runs one fact over all setups.
func everywhere(t *testing.T, fact func(t *testing.T, s setup)) {
	for _, s := range setups {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			if !s.bubble {
				t.Parallel()
				fact(t, s)
				return
			}
			synctest.Test(t, func(t *testing.T) { fact(t, s) })
		})
	}
}

// inBubbles runs a fact about long times where time costs nothing.
func inBubbles(t *testing.T, fact func(t *testing.T, s setup)) {
	everywhere(t, func(t *testing.T, s setup) {
		if s.bubble {
			fact(t, s)
		}
	})
}

func pipePair(*testing.T) (server, client net.Conn) { return net.Pipe() }

func tcpPair(t *testing.T) (server, client net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func tlsPair(t *testing.T) (server, client net.Conn) {
	rawServer, rawClient := tcpPair(t)
	s := tls.Server(rawServer, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	c := tls.Client(rawClient, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s, c
}

// certificate is made once: nobody checks what it says.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "finch.test"},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// TestMain fails the run if a goroutine of this module outlives its tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			os.Stderr.WriteString("goroutines were left behind:\n" + left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked answers the stacks of goroutines that run this module's code, after
// a fair wait for them to end.
func leaked() string {
	const me = "github.com/finch-go/finch/"
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(stack, me) { // the first is this one
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
		runtime.Gosched()
	}
	return strings.Join(left, "\n\n")
}
