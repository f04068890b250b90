package finch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/protocol"
)

// AppOptions configure an [App]; the zero value and nil are fine.
type AppOptions struct {
	// Addr is what Start listens on. Empty: ":3000".
	Addr string
	// TLS, if set, makes Start and Serve speak https; it needs a certificate.
	TLS *tls.Config
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
	// Routes are the addresses; more may be added with [App.AddRoute].
	Routes []Route
	// Middleware wraps the whole App, the first outermost.
	Middleware []func(http.Handler) http.Handler
	// BodyBytes bounds the body that [Request.DecodeJSON] reads. Zero: 1 MiB.
	BodyBytes int64
	// ShutdownWait is how long Start waits for handlers and clients when it
	// stops. Zero: 20 s.
	ShutdownWait time.Duration

	// AllowedOrigins, TrustedProxies, Limits, Heartbeat, Engine and
	// Compression are those of [SocketManagerOptions], for raw sockets
	// ([Route].WS).
	AllowedOrigins []string
	TrustedProxies []netip.Prefix
	Limits         Limits
	Heartbeat      time.Duration
	Engine         Engine
	Compression    *Compression
}

// App is a program of routes, controllers and sockets. It is an
// [http.Handler]: serve it alone with Start, or mount it. All methods may be
// called by any goroutine; routes are best added before it serves.
//
// It answers /healthz and /readyz by itself, unless a route does.
type App struct {
	addr         string
	tls          *tls.Config
	logger       *slog.Logger
	bodyBytes    int64
	shutdownWait time.Duration
	handler      http.Handler // the router inside the middleware
	gate         gate
	raw          census
	rawConns     sync.Map // *conn.Conn to nothing
	meter        conn.Meter
	panics       atomic.Int64

	mu           sync.Mutex // guards everything below
	router       *router
	manager      *SocketManager
	managerPlace string
	pending      []*entry // socket routes that came before the manager
	servers      map[*http.Server]net.Addr
	listening    net.Addr
	closing      bool
}

// NewApp returns an App; nil options are the defaults. It panics on routes
// that contradict each other, as [http.ServeMux] does, naming both places, and
// on a level of compression that there is not.
func NewApp(o *AppOptions) *App {
	if o == nil {
		o = new(AppOptions)
	}
	a := &App{
		addr:         orElse(o.Addr, ":3000"),
		tls:          o.TLS,
		logger:       o.Logger,
		bodyBytes:    o.BodyBytes,
		shutdownWait: o.ShutdownWait,
		router:       newRouter(),
		servers:      map[*http.Server]net.Addr{},
	}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	if a.bodyBytes <= 0 {
		a.bodyBytes = 1 << 20
	}
	if a.shutdownWait <= 0 {
		a.shutdownWait = 20 * time.Second
	}
	a.gate = gate{
		origins: slices.Clone(o.AllowedOrigins),
		trusted: slices.Clone(o.TrustedProxies),
		engine:  o.Engine.engine(),
		config:  o.Limits.config(o.Heartbeat, &a.meter),
		logger:  a.logger,
	}
	a.gate.compress(o.Compression)
	a.handler = http.HandlerFunc(a.route)
	for _, mw := range slices.Backward(o.Middleware) {
		a.handler = mw(a.handler)
	}
	a.addRoutes(o.Routes, place())
	return a
}

// AddRoute adds routes. It panics when a route contradicts another, serves
// nothing, or has a key that is taken; the message names both places and says
// what to do.
func (a *App) AddRoute(routes ...Route) { a.addRoutes(routes, place()) }

func (a *App) addRoutes(routes []Route, place string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range routes {
		a.router.add(r, "", func(h http.Handler) http.Handler { return h }, a.serveRoute, place)
	}
}

// AddSocketRoute adds callbacks by event path to the App's manager; before
// there is one they are kept for it. See [SocketManager.AddRoutes].
func (a *App) AddSocketRoute(routes map[string]SocketEvent) {
	entries := entriesOf(routes, place())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.manager != nil {
		a.manager.registry.add(entries...)
		return
	}
	a.pending = append(a.pending, entries...)
}

// SocketManager returns the manager that was made with
// [SocketManagerOptions].App set to this App; nil before.
func (a *App) SocketManager() *SocketManager {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.manager
}

// adopt makes m the App's manager.
func (a *App) adopt(m *SocketManager, place string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.manager != nil {
		panic(fmt.Sprintf("finch: this App has a SocketManager already: first at %s, again at %s; keep one, or leave SocketManagerOptions.App empty", a.managerPlace, place))
	}
	m.registry.add(a.pending...)
	a.manager, a.managerPlace, a.pending = m, place, nil
}

// URL returns the path of the route with this key; args are names and values
// of its wildcards in turn: URL("user", "id", "7"). It panics if no route has
// the key or a wildcard has no value.
func (a *App) URL(key string, args ...string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.router.url(key, args)
}

// ServeHTTP serves one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// route is the innermost handler: the mux, and health for whoever has no
// route of that name.
func (a *App) route(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		if _, pattern := a.router.mux.Handler(r); pattern == "" {
			answerHealth(w, a.unhealthy(r))
			return
		}
	}
	a.router.mux.ServeHTTP(w, r)
}

// serveRoute makes the handler of one route.
func (a *App) serveRoute(r Route) http.Handler {
	switch {
	case r.Handler != nil:
		return r.Handler
	case r.WS != nil:
		return http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) { a.upgradeRaw(w, rq, r.WS) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		rq := &Request{Request: hr, Writer: w, bodyBytes: a.bodyBytes}
		err := a.guard(hr.URL.Path, func() error { return r.Index(rq) })
		if err != nil {
			a.failed(rq, err)
		}
	})
}

// failed answers for an Index that returned an error. Behind an answer that
// has already been written there is nothing more to say.
func (a *App) failed(rq *Request, err error) {
	e, meant := forClient(err)
	var panicked *panicError
	if !meant && !errors.As(err, &panicked) {
		a.logger.Error("finch: a controller failed", "method", rq.Method, "path", rq.URL.Path, "error", err)
	}
	if !rq.answered {
		rq.renderError(e)
	}
}

// guard runs a callback of the user's; see [SocketManager].
func (a *App) guard(what string, f func() error) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // net/http's own way to hang up
		default:
			a.panics.Add(1)
			a.logger.Error("finch: a callback panicked", "callback", what, "panic", p, "stack", string(debug.Stack()))
			err = &panicError{p}
		}
	}()
	return f()
}

// Start listens on [AppOptions].Addr and serves until ctx ends or the process
// gets SIGINT or SIGTERM; then it shuts down within ShutdownWait. It returns
// nil after a clean stop.
//
// It starts the broker of the App's manager too ([SocketManager.Start]), and
// stops with the error if that cannot be done however often it is tried, as with
// a password that is refused or another node of the same id. A broker that cannot
// be reached is waited for, while /readyz answers 503.
func (a *App) Start(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", a.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("finch: something already listens on %s: stop it, or set AppOptions.Addr to another address: %w", a.addr, err)
	}
	if err != nil {
		return fmt.Errorf("finch: cannot listen on %s: %w", a.addr, err)
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	hopeless := make(chan error, 1)
	go func() {
		if err := a.startBroker(ctx); err != nil {
			hopeless <- err
		}
	}()
	var failed error
	select {
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	case failed = <-hopeless:
	case <-ctx.Done():
	}
	stop() // a second signal ends the process in the ordinary way
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.shutdownWait)
	defer cancel()
	err = a.Shutdown(grace)
	<-served
	if failed != nil {
		return failed
	}
	return err
}

// Serve serves on l, which it closes, until Shutdown; it then returns
// [http.ErrServerClosed].
func (a *App) Serve(l net.Listener) error {
	srv := &http.Server{
		Handler:           a,
		TLSConfig:         a.tlsConfig(),
		ReadHeaderTimeout: 10 * time.Second, // a client that never finishes its handshake
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		l.Close()
		return http.ErrServerClosed
	}
	a.servers[srv] = l.Addr()
	a.listening = l.Addr()
	a.mu.Unlock()
	a.logger.Info("finch: listening", "addr", l.Addr().String())
	if m := a.SocketManager(); m != nil && m.node.given {
		m.node.begin()
	}
	l = &acceptor{l, a.logger, time.Sleep}
	if a.tls != nil {
		return srv.ServeTLS(Listener(l), "", "")
	}
	return srv.Serve(l)
}

// tlsConfig is the program's, with whole records from the start: messages are
// short, and growing records only help whoever downloads.
func (a *App) tlsConfig() *tls.Config {
	if a.tls == nil {
		return nil
	}
	c := a.tls.Clone()
	c.DynamicRecordSizingDisabled = true
	return c
}

// Listening returns the address that Serve or Start listens on, of the last
// listener if there are several; nil before. It tells the port of ":0".
func (a *App) Listening() net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listening
}

// Shutdown ends the App: /readyz turns to 503, no new connection is taken,
// running handlers finish, every socket is closed with 1001 as
// [SocketManager.Shutdown] says. When ctx ends first, the rest is cut off and
// an error returned.
func (a *App) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	a.closing = true
	manager := a.manager
	servers := make([]*http.Server, 0, len(a.servers))
	for s := range a.servers {
		servers = append(servers, s)
	}
	a.mu.Unlock()

	var ends []func() error
	if manager != nil {
		ends = append(ends, func() error { return manager.Shutdown(ctx) })
	}
	ends = append(ends, func() error { return a.raw.drain(ctx, a.conns, protocol.CloseGoingAway, "the server is shutting down") })
	for _, s := range servers {
		ends = append(ends, func() error { return s.Shutdown(ctx) })
	}
	errs := make([]error, len(ends))
	var wg sync.WaitGroup
	for i, end := range ends {
		wg.Go(func() { errs[i] = end() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// AppStats is what an App counts beside its manager's [Stats].
type AppStats struct {
	RawSockets  int64 `json:"raw_sockets"`  // connected now, see [Route].WS
	QueuedBytes int64 `json:"queued_bytes"` // waiting to be written to them now
	Panics      int64 `json:"panics"`       // of controllers and raw sockets, ever
}

// Stats returns the counts of now.
func (a *App) Stats() AppStats {
	return AppStats{
		RawSockets:  int64(a.raw.count()),
		QueuedBytes: a.meter.Queued.Load(),
		Panics:      a.panics.Load(),
	}
}

// conns answers the connections of the raw sockets that are here.
func (a *App) conns() (list []*conn.Conn) {
	for c := range a.rawConns.Range {
		list = append(list, c.(*conn.Conn))
	}
	return list
}

func (a *App) isClosing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closing
}
