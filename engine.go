package finch

import (
	"runtime"

	"github.com/finch-go/finch/internal/conn"
)

// Engine says how connections wait for bytes. What they do is the same with
// each.
type Engine uint8

const (
	// EngineAuto takes the cheapest engine for each connection: on Linux
	// EngineEpoll for TCP, and for TLS behind [Listener], else EnginePortable.
	EngineAuto Engine = iota
	// EnginePortable has a goroutine wait for each connection. It works with
	// every connection on every system.
	EnginePortable
	// EngineEpoll has the kernel watch many connections for one goroutine, so
	// that one that says nothing costs little more than what the program
	// itself knows of it. It needs Linux; connections that are neither TCP nor
	// TLS behind [Listener] are served by EnginePortable.
	EngineEpoll
)

// engine answers the engine of a choice that a program made.
func (e Engine) engine() conn.Engine {
	switch {
	case e == EnginePortable:
		return conn.Portable
	case e == EngineEpoll && runtime.GOOS != "linux":
		panic("finch: EngineEpoll needs Linux; EngineAuto takes what there is")
	}
	return conn.Auto
}
