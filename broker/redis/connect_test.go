package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// talks shows that a broker with these options is served.
func talks(t *testing.T, o redis.Options) {
	t.Helper()
	o.Namespace = namespace()
	in := &brokertest.Inbox{}
	b := started(t, o, "n", in)
	open(t, b, "r")
	publish(t, b, "r", "data", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool { return len(in.Messages("r")) == 1 })
}

func TestServerIsReachedOverTLS(t *testing.T) {
	certificate, key, pool := certify(t)
	s := newServer(t, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no")
	port := strconv.Itoa(s.port)
	s.run("--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no")
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	until(t, "the server answers", func() bool {
		c, err := tls.Dial("tcp", s.address(), config)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	talks(t, redis.Options{Addresses: []string{s.address()}, TLS: config})
}

// certify makes a certificate for the loopback.
func certify(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", bytes), pool
}

func TestServerIsReachedByURLAndSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "finch") // a socket's path is to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis.sock")
	s := startServer(t, "--unixsocket", socket)
	talks(t, redis.Options{URL: "unix://" + socket})
	talks(t, redis.Options{URL: "redis://" + s.address() + "/3"})
	talks(t, redis.Options{URL: "valkey://" + s.address(), Database: 2})
}

// TestDatabasesOfAServerAreApart: channels know no database, and two systems with
// one namespace in two databases must not hear each other.
func TestDatabasesOfAServerAreApart(t *testing.T) {
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}, Namespace: namespace()}
	one, two := &brokertest.Inbox{}, &brokertest.Inbox{}
	a := started(t, o, "n", one)
	o.Database = 1
	b := started(t, o, "n", two)
	open(t, a, "r")
	open(t, b, "r")
	publish(t, b, "r", "data", broker.PublishOptions{})
	publish(t, a, "r", "data", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool { return len(one.Messages("r")) > 0 && len(two.Messages("r")) > 0 })
	if len(one.Messages("r")) != 1 || len(two.Messages("r")) != 1 || len(a.Nodes()) != 1 {
		t.Errorf("%d and %d messages, nodes %v", len(one.Messages("r")), len(two.Messages("r")), a.Nodes())
	}
}

func TestHeadsThatDidNotChangeAreNotReturned(t *testing.T) {
	b := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}}).node("n", &brokertest.Inbox{})
	rooms := names("r", 3000)
	open(t, b, rooms...)
	heads := func(since broker.Mark) (map[string]broker.Position, broker.Mark) {
		t.Helper()
		changed, next, err := b.Heads(t.Context(), rooms, since)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]broker.Position{}
		for _, h := range changed {
			found[h.Room] = h.Position
		}
		return found, next
	}
	all, first := heads("")
	none, second := heads(first)
	if len(all) != len(rooms) || len(none) != 0 {
		t.Fatalf("%d heads, then %d", len(all), len(none))
	}
	p := publish(t, b, "r-7", "1", broker.PublishOptions{})
	if found, _ := heads(second); len(found) != 1 || found["r-7"] != p {
		t.Errorf("changed: %v", found)
	}
	if found, _ := heads(first); len(found) != 1 || found["r-7"] != p {
		t.Errorf("since an older mark: %v", found)
	}
	b.Release([]string{"r-8"})
	if found, _ := heads(second); len(found) != 2 {
		t.Errorf("a room that is not open any more: %v", found)
	}
}
